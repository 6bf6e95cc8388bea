// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import CharacterDevice
import EventLoop
import Glibc
import Logging

/// A cable to another process over a stream socket (`-netdev socket,listen=` and `connect=`, `-netdev stream`): two
/// guests joined without any privilege.
///
/// A server serves one client at a time. What is sent while nobody is there is lost, as on a cable without an end.
public final class StreamNetwork: PacketPort {
  public weak var receiver: (any PacketReceiver)?
  public var offloads: PacketOffloads { [] }
  /// `id=`.
  public let id: String

  private static let sendFlags = Int32(MSG_NOSIGNAL | MSG_DONTWAIT)

  /// What it was made from.
  public let settings: SocketSettings
  private let loop: EventLoop
  private let log: Logger
  private var listener: (descriptor: Int32, file: HostSocket.File?)?
  private var listenWatch: EventLoop.Watch?
  private var connection: Int32?
  private var watch: EventLoop.Watch?
  private var retry: OneShotTimer?
  private let incoming = StreamFraming()
  /// What the socket did not take yet, lengths and frames.
  private let outgoing = PacketQueue()
  private var sentOfFirst = 0
  private let pieces = UnsafeMutableBufferPointer<iovec>.allocate(capacity: PacketLimits.mostPieces + 1)
  private var isRefused = false
  private var isCardWaiting = false
  /// Told that somebody came or went: see ``isConnected``.
  public var onConnection: (() -> Void)?
  /// Whether there is somebody at the other end.
  public var isConnected: Bool { connection != nil }

  /// Opens the socket: listens, or connects.
  public init(_ settings: SocketSettings, id: String, loop: EventLoop, log: Logger) throws(NetworkError) {
    (self.settings, self.id, self.loop, self.log) = (settings, id, loop, log)
    do throws(HostError) {
      if settings.isServer {
        let listener = try HostSocket.listen(settings.address)
        self.listener = listener
        listenWatch = try loop.watch(listener.descriptor, for: .readable) { [unowned self] _ in accept() }
      } else {
        if settings.reconnectSeconds > 0 {
          retry = try OneShotTimer(on: loop) { [unowned self] in connectAgain() }
        }
        do throws(HostError) {
          try adopt(HostSocket.connect(settings.address, milliseconds: 5000))
        } catch {
          guard let retry else { throw error }
          retry.arm(afterMilliseconds: settings.reconnectSeconds * 1000)
        }
      }
    } catch {
      close()
      throw .socket(id: id, reason: error.description)
    }
  }

  deinit {
    close()
    pieces.deallocate()
  }

  public func close() {
    disconnect(forGood: true)
    listenWatch?.cancel()
    listenWatch = nil
    if let listener {
      Glibc.close(listener.descriptor)
      listener.file?.remove()
    }
    listener = nil
    retry?.close()
  }

  /// The port a server really has.
  public var port: UInt16? { listener.flatMap { HostSocket.port(of: $0.descriptor) } }

  public var isLinkUp: Bool { true }

  // MARK: Connections

  private func accept() {
    guard let listener else { return }
    let descriptor = martlet_accept4(
      listener.descriptor, Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue))
    guard descriptor >= 0 else { return }
    do throws(HostError) { try adopt(descriptor) } catch { log.warning("network \(id): \(error)") }
  }

  private func adopt(_ descriptor: Int32) throws(HostError) {
    disconnect(forGood: true)
    if case .tcp = settings.address { HostSocket.setNoDelay(descriptor) }
    do throws(HostError) {
      watch = try loop.watch(descriptor, for: .readable) { [unowned self] in ready($0) }
    } catch {
      Glibc.close(descriptor)
      throw error
    }
    connection = descriptor
    listenWatch?.interest = []
    onConnection?()
  }

  private func disconnect(forGood: Bool = false) {
    guard let connection else { return }
    watch?.cancel()
    watch = nil
    Glibc.close(connection)
    self.connection = nil
    incoming.removeAll()
    outgoing.removeAll()
    (sentOfFirst, isRefused) = (0, false)
    onConnection?()
    guard !forGood else { return }
    listenWatch?.interest = .readable
    retry?.arm(afterMilliseconds: settings.reconnectSeconds * 1000)
    wakeCard()
  }

  private func connectAgain() {
    guard connection == nil else { return }
    do throws(HostError) {
      // The loop waits: somebody who does not answer at once is asked again later.
      try adopt(HostSocket.connect(settings.address, milliseconds: 50))
    } catch {
      retry?.arm(afterMilliseconds: settings.reconnectSeconds * 1000)
    }
  }

  private func ready(_ found: EventLoop.Interest) {
    if found.contains(.writable) { flush() }
    if found.contains(.readable) || found.contains(.closed) { read() }
  }

  // MARK: From the card

  public func send(_ frame: UnsafeBufferPointer<iovec>, _ offload: PacketOffload) -> Bool {
    guard let connection, frame.count < pieces.count else { return true }
    var length = 0
    for (index, piece) in frame.enumerated() {
      pieces[index + 1] = piece
      length += piece.iov_len
    }
    var prefix = UInt32(truncatingIfNeeded: length).bigEndian
    return withUnsafeMutableBytes(of: &prefix) { prefix in
      pieces[0] = iovec(iov_base: prefix.baseAddress, iov_len: prefix.count)
      let all = UnsafeBufferPointer(rebasing: pieces[...frame.count])
      var written = 0
      if outgoing.isEmpty {
        var message = msghdr()
        message.msg_iov = UnsafeMutablePointer(mutating: all.baseAddress)
        message.msg_iovlen = all.count
        written = sendmsg(connection, &message, Self.sendFlags)
        if written == length + prefix.count { return true }
        if written < 0 {
          guard errno == EAGAIN || errno == EINTR else { return true }
          written = 0
        }
      }
      guard outgoing.append(all) else {
        isCardWaiting = true
        return false
      }
      if outgoing.count == 1 { sentOfFirst = written }
      watch?.interest = isRefused ? .writable : [.readable, .writable]
      return true
    }
  }

  private func flush() {
    guard let connection else { return }
    while let first = outgoing.first {
      let rest = UnsafeRawBufferPointer(rebasing: first[sentOfFirst...])
      let written = Glibc.send(
        connection, rest.baseAddress, rest.count, Self.sendFlags)
      guard written >= 0 else {
        // The end shows when something is read.
        if errno != EAGAIN, errno != EINTR { watch?.interest = .readable }
        return
      }
      sentOfFirst += written
      guard sentOfFirst == first.count else { return }
      outgoing.removeFirst()
      sentOfFirst = 0
    }
    watch?.interest = isRefused ? [] : .readable
    wakeCard()
  }

  private func wakeCard() {
    guard isCardWaiting else { return }
    isCardWaiting = false
    receiver?.packetPortBecameReady()
  }

  // MARK: To the card

  private func read() {
    // A bounded number of frames a turn, so that others have theirs.
    for _ in 0..<8 {
      guard let connection, !isRefused else { return }
      let room = incoming.room
      let count = Glibc.read(connection, room.baseAddress, room.count)
      if count > 0 {
        incoming.added(count)
        deliver()
        if count < room.count { return }
      } else if count < 0, errno == EAGAIN || errno == EINTR {
        return
      } else {
        return disconnect()
      }
    }
  }

  private func deliver() {
    while true {
      switch incoming.front {
      case .nothing: return
      case .nonsense:
        log.warning("network \(id): the other side does not send frames; the connection is closed")
        return disconnect()
      case .frame(let frame):
        guard receiver?.receive(frame) ?? true else {
          isRefused = true
          watch?.interest = outgoing.isEmpty ? [] : .writable
          return
        }
        incoming.removeFront()
      }
    }
  }

  public func receiverBecameReady() {
    guard isRefused else { return }
    isRefused = false
    watch?.interest = outgoing.isEmpty ? .readable : [.readable, .writable]
    deliver()
  }
}
