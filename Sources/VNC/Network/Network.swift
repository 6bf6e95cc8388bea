// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc
import Logging

/// The network thread's work: listeners, connections and their time limits.
final class Network: @unchecked Sendable {
  // Unchecked: everything that changes is guarded by `loop`'s lock, which only the network thread takes, and
  // `stop` through it.

  /// How long a viewer or browser may take to say what it wants.
  static let greetingNanoseconds: UInt64 = 10_000_000_000
  /// How long a viewer may take for the handshake if a person has to type a password.
  static let passwordNanoseconds: UInt64 = 120_000_000_000
  /// Connections that are not, or not yet, viewers.
  private static let maximumStrangers = 32

  let configuration: VNCConfiguration
  let loop: EventLoop
  /// A buffer for what is received, used for the moment only.
  let scratch: UnsafeMutableRawBufferPointer
  /// Names by which a browser may call this server.
  let hostNames: [String]

  private let screen: ScreenService
  private let log: Logger
  private var connections: [ObjectIdentifier: Connection] = [:]
  /// Sockets that wait for viewers or browsers.
  private struct Place {
    var listener: Listener
    var watches: [EventLoop.Watch]
    let isBrowser: Bool
  }
  private var places: [Place] = []
  private var nextNumber = 0
  private var isTicking = false
  private var isAcceptSuspended = false
  private var failures = PasswordFailures()

  /// A network without listeners, whose viewers `screen` serves.
  init(configuration: VNCConfiguration, screen: ScreenService, log: Logger) throws(HostError) {
    self.configuration = configuration
    self.screen = screen
    self.log = log
    loop = try EventLoop(lock: MachineLock())
    scratch = .allocate(byteCount: 256 << 10, alignment: 16)
    var names = [configuration.webSocket?.host].compactMap { $0 }
    if case .tcp(let host?, _) = configuration.address { names.append(host) }
    if let own = Self.ownName() { names.append(own) }
    hostNames = names
    loop.onDeadline { [unowned self] in self.tick() }
  }

  deinit { scratch.deallocate() }

  private static func ownName() -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { name in
      guard let base = name.baseAddress, gethostname(base, name.count - 1) == 0 else { return nil }
      name[name.count - 1] = 0
      return String(cString: base)
    }
  }

  /// The present, in monotonic nanoseconds.
  var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(truncatingIfNeeded: time.tv_sec) &* 1_000_000_000
      &+ UInt64(truncatingIfNeeded: time.tv_nsec)
  }

  // MARK: Listening

  /// Accepts viewers, or browsers, from `listener`.
  func add(_ listener: Listener, isBrowser: Bool) throws(HostError) {
    var place = Place(listener: listener, watches: [], isBrowser: isBrowser)
    defer { places.append(place) }
    for descriptor in listener.descriptors {
      place.watches.append(
        try loop.watch(descriptor, for: .readable) { [unowned self] _ in
          self.accept(from: descriptor, isBrowser: isBrowser)
        })
    }
  }

  /// Accepts no viewers any more where these listen; who is connected stays.
  func remove(_ listeners: [Listener]) {
    let gone = Set(listeners.flatMap(\.descriptors))
    for index in places.indices.reversed() where !gone.isDisjoint(with: places[index].listener.descriptors) {
      var place = places.remove(at: index)
      for watch in place.watches { watch.cancel() }
      place.listener.close()
    }
  }

  /// Takes a viewer that is connected already.
  func adopt(_ descriptor: Int32) {
    _ = martlet_fcntl(descriptor, F_SETFL, Int(O_NONBLOCK))
    start(descriptor, isBrowser: false)
  }

  private func accept(from listener: Int32, isBrowser: Bool) {
    for _ in 0..<16 {
      let descriptor = martlet_accept4(listener, Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue))
      if descriptor >= 0 {
        start(descriptor, isBrowser: isBrowser)
        continue
      }
      if errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM {
        // The connection stays in the queue; asking again at once would be a busy loop.
        log.warning("cannot accept a VNC connection: \(String(cString: strerror(errno)))")
        isAcceptSuspended = true
        for place in places { for watch in place.watches { watch.interest = [] } }
        needsTick()
      }
      return
    }
  }

  private func start(_ descriptor: Int32, isBrowser: Bool) {
    let peer = Self.peer(of: descriptor)
    guard makeRoom() else {
      log.warning("a VNC connection from \(peer) was refused: there are \(connections.count) already")
      _ = Glibc.close(descriptor)
      return
    }
    for (level, option, value) in [
      (Int32(IPPROTO_TCP), TCP_NODELAY, 1), (SOL_SOCKET, SO_KEEPALIVE, 1),
      (Int32(IPPROTO_TCP), TCP_KEEPIDLE, 30), (Int32(IPPROTO_TCP), TCP_KEEPINTVL, 10),
      (Int32(IPPROTO_TCP), TCP_KEEPCNT, 3),
    ] as [(Int32, Int32, Int32)] {
      // Fails on Unix sockets, which need none of it.
      var value = value
      setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
    nextNumber += 1
    let connection = Connection(
      descriptor, number: nextNumber, peer: peer, isBrowser: isBrowser,
      deadline: now + Self.greetingNanoseconds,
      network: self)
    connections[ObjectIdentifier(connection)] = connection
    log.debug("VNC connection from \(peer)")
    do throws(HostError) { try connection.start() } catch { remove(connection, because: "\(error)") }
    needsTick()
  }

  /// Whether another connection can be had. Of those that have not said who they are, the oldest goes first.
  private func makeRoom() -> Bool {
    let strangers = connections.values.filter { !$0.isEstablished }
    guard connections.count - strangers.count < configuration.maximumViewers else { return false }
    if strangers.count >= Self.maximumStrangers, let oldest = strangers.min(by: { $0.number < $1.number }) {
      remove(oldest, because: "others wait")
    }
    return true
  }

  private static func peer(of descriptor: Int32) -> String {
    var storage = sockaddr_storage()
    var count = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        guard getpeername(descriptor, address, &count) == 0 else { return "an unknown place" }
        return HostAddress(address)?.description ?? "a Unix socket"
      }
    }
  }

  // MARK: Connections

  /// Closes `connection` and forgets it.
  func remove(_ connection: Connection, because reason: String?) {
    guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
    if let reason { log.debug("the VNC connection from \(connection.link.peer) ends: \(reason)") }
    connection.close()
    // Also counts for one who hangs up first.
    if connection.link.hasFailedPassword {
      failures.add(connection.link.peer, now: now)
      log.warning("a VNC viewer from \(connection.link.peer) gave a wrong password")
    }
  }

  /// Hands the library's end of a viewer's pair of sockets to the screen thread.
  func addViewer(_ descriptor: Int32, link: ViewerLink) {
    guard failures.mayTry(link.peer, now: now) else {
      log.warning(
        "a VNC viewer from \(link.peer) was refused: too many wrong passwords from there, wait ten seconds")
      _ = Glibc.close(descriptor)
      return
    }
    screen.addViewer(descriptor, link: link)
  }

  /// The screen thread waits for a viewer to take its data, and it did.
  func wakeScreen() { screen.wake() }

  // MARK: Time limits

  /// Has ``tick()`` called in a second, if it is not already.
  func needsTick() {
    guard !isTicking else { return }
    isTicking = true
    loop.setDeadline(now + 1_000_000_000)
  }

  private func tick() {
    isTicking = false
    if isAcceptSuspended {
      isAcceptSuspended = false
      for place in places { for watch in place.watches { watch.interest = .readable } }
    }
    let time = now
    let stall = UInt64(max(configuration.stallSeconds, 1)) * 1_000_000_000
    for connection in Array(connections.values) {
      if let deadline = connection.deadline, time > deadline {
        remove(connection, because: "it said too little for too long")
      } else if let since = connection.stalledSince, time > since + stall {
        log.info("the VNC viewer at \(connection.link.peer) takes no data and is disconnected")
        remove(connection, because: "it takes no data")
      }
    }
    if connections.values.contains(where: { $0.deadline != nil || $0.stalledSince != nil }) { needsTick() }
  }

  // MARK: Running

  /// Serves until ``stop()``; then closes everything.
  func run() {
    loop.run()
    loop.lock.withLock { closeAll() }
  }

  /// Ends ``run()``. May be called from any thread.
  func stop() { loop.stop() }

  private func closeAll() {
    for index in places.indices {
      for watch in places[index].watches { watch.cancel() }
      places[index].listener.close()
    }
    places = []
    for connection in Array(connections.values) { remove(connection, because: nil) }
  }
}
