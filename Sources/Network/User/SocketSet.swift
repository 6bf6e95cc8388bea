// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import CSlirp
import EventLoop
import Glibc

/// The sockets that libslirp waits for: told anew after each of its calls, of which the kernel hears only what changed.
///
/// They sit in an epoll descriptor of their own, so that all that is ready is handled in one go.
final class SocketSet {
  private let poller: Int32
  private let loop: EventLoop
  private var watch: EventLoop.Watch?
  /// What was told last, in order: the library asks by index.
  private var told: [(descriptor: Int32, events: UInt32, ready: UInt32)] = []
  /// By descriptor: what the kernel waits for (0: nothing), the fill that last named it, its index there, and its kind.
  private var known: [Known] = []

  private struct Known {
    var events: UInt32 = 0
    var fill: UInt32 = 0
    var index: Int32 = -1
    var isDatagram = false
  }

  private var previous: [Int32] = []
  private var fill: UInt32 = 0

  init(loop: EventLoop) throws(HostError) {
    self.loop = loop
    poller = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard poller >= 0 else { throw HostError("cannot create an epoll descriptor") }
  }

  deinit {
    close()
    Glibc.close(poller)
  }

  /// Has `handler` called when a socket is ready.
  func onReady(_ handler: @escaping () -> Void) throws(HostError) {
    watch = try loop.watch(poller, for: .readable) { _ in handler() }
  }

  /// Waits for nothing any more.
  func close() {
    watch?.cancel()
    watch = nil
  }

  /// Waits for nothing until the next fill.
  func pause() { watch?.interest = [] }

  // MARK: Telling

  func beginFill() {
    fill &+= 1
    swap(&previous, &scratch)
    previous.removeAll(keepingCapacity: true)
    for entry in told { previous.append(entry.descriptor) }
    told.removeAll(keepingCapacity: true)
  }

  private var scratch: [Int32] = []

  /// A socket to be waited for; returns its index.
  func add(_ descriptor: Int32, _ events: Int32) -> Int32 {
    guard descriptor >= 0 else { return -1 }
    var wanted: UInt32 = 0
    if events & Int32(SLIRP_POLL_IN) != 0 { wanted |= EPOLLIN.rawValue }
    if events & Int32(SLIRP_POLL_OUT) != 0 { wanted |= EPOLLOUT.rawValue }
    if events & Int32(SLIRP_POLL_PRI) != 0 { wanted |= EPOLLPRI.rawValue }
    let place = Int(descriptor)
    while known.count <= place { known.append(Known()) }
    if known[place].events != wanted {
      var event = epoll_event(events: wanted, data: epoll_data_t(fd: descriptor))
      var isNew = known[place].events == 0
      let operation = isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD
      if epoll_ctl(poller, operation, descriptor, &event) != 0 {
        // Another socket may have come to have this number.
        isNew = true
        _ = epoll_ctl(poller, errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, &event)
      }
      if isNew { known[place].isDatagram = Self.isDatagram(descriptor) }
    }
    let index = Int32(truncatingIfNeeded: told.count)
    (known[place].events, known[place].fill, known[place].index) = (wanted, fill, index)
    told.append((descriptor, wanted, 0))
    return index
  }

  func endFill() {
    for descriptor in previous where known[Int(descriptor)].fill != fill { forget(descriptor) }
    watch?.interest = .readable
  }

  /// A socket that is not waited for any more, or about to be closed.
  func forget(_ descriptor: Int32) {
    guard descriptor >= 0, Int(descriptor) < known.count, known[Int(descriptor)].events != 0 else { return }
    epoll_ctl(poller, EPOLL_CTL_DEL, descriptor, nil)
    known[Int(descriptor)] = Known()
  }

  private static func isDatagram(_ descriptor: Int32) -> Bool {
    var type: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0
      && type == Int32(SOCK_DGRAM.rawValue)
  }

  // MARK: Asking

  /// Finds out what is ready; false if nothing is.
  func collect() -> Bool {
    let capacity = 64
    return withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: capacity) { events in
      let count = epoll_wait(poller, events.baseAddress, Int32(capacity), 0)
      var position = 0
      while position < Int(count) {
        let event = events[position]
        position += 1
        let descriptor = Int(event.data.fd)
        guard known.indices.contains(descriptor) else { continue }
        let index = Int(known[descriptor].index)
        guard told.indices.contains(index), told[index].descriptor == event.data.fd else { continue }
        told[index].ready = event.events
      }
      return count > 0
    }
  }

  /// Finds out which of the sockets with datagrams that were ready have another one, and how many do. The others count as
  /// not ready until ``collect()``: the library must not read a connection for which it had no room when it was asked.
  func collectDatagrams() -> Int {
    var found = 0
    for index in told.indices where told[index].ready != 0 {
      let descriptor = told[index].descriptor
      var byteCount: Int32 = 0
      if told[index].ready == EPOLLIN.rawValue, known[Int(descriptor)].index == Int32(index),
        known[Int(descriptor)].isDatagram, ioctl(descriptor, UInt(FIONREAD), &byteCount) == 0,
        byteCount > 0
      {
        found += 1
      } else {
        told[index].ready = 0
      }
    }
    return found
  }

  /// What the library is to know of the socket it was given `index` for.
  func events(at index: Int32) -> Int32 {
    guard told.indices.contains(Int(index)) else { return 0 }
    let ready = told[Int(index)].ready
    var result: Int32 = 0
    if ready & EPOLLIN.rawValue != 0 { result |= Int32(SLIRP_POLL_IN) }
    if ready & EPOLLOUT.rawValue != 0 { result |= Int32(SLIRP_POLL_OUT) }
    if ready & EPOLLPRI.rawValue != 0 { result |= Int32(SLIRP_POLL_PRI) }
    if ready & EPOLLERR.rawValue != 0 { result |= Int32(SLIRP_POLL_ERR) }
    if ready & EPOLLHUP.rawValue != 0 { result |= Int32(SLIRP_POLL_HUP) }
    return result
  }
}
