// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc

/// A port on a socket: a server that serves one client after the other, or a client.
///
/// While nobody is connected, output is taken and lost. A second client waits until the first has left.
public final class SocketPort: CharacterPort {
  public weak var receiver: (any CharacterReceiver)? {
    didSet {
      guard receiver != nil else { return }
      if link != nil { tellOpenedSoon() }
    }
  }
  /// What it was made from, with the port it really has.
  public private(set) var settings: SocketSettings

  private let loop: EventLoop
  private var listener: Int32 = -1
  private var file: HostSocket.File?
  private var acceptWatch: EventLoop.Watch?
  private var link: DescriptorPort?
  private var timer: RetryTimer?
  private var isClosed = false

  /// Whether somebody is at the other side.
  public var isConnected: Bool { link != nil }

  /// Listens or connects. A server that waits for its first client does so here, and a client without ``SocketSettings/reconnectSeconds``
  /// that finds nobody fails.
  public init(_ settings: SocketSettings, loop: EventLoop) throws(HostError) {
    self.settings = settings
    self.loop = loop
    // A client that goes away must not end the emulator.
    signal(SIGPIPE, SIG_IGN)
    if settings.isServer {
      (listener, file) = try HostSocket.listen(settings.address)
      if case .tcp(let host, _) = settings.address, let port = HostSocket.port(of: listener) {
        self.settings.address = .tcp(host: host, port: port)
      }
      do throws(HostError) {
        if settings.waitsForClient { try waitForFirstClient() }
        acceptWatch = try loop.watch(listener, for: link == nil ? .readable : []) { [unowned self] _ in
          acceptClient()
        }
      } catch {
        close()
        throw error
      }
    } else if settings.reconnectSeconds > 0 {
      timer = try RetryTimer(loop: loop) { [unowned self] in tryAgain() }
      tryAgain()
    } else {
      try adopt(try HostSocket.connect(settings.address, milliseconds: 10_000))
    }
  }

  deinit { close() }

  // MARK: Connections

  /// Waits without the event loop: the machine is not there yet. Signals that end the process end the waiting, too.
  private func waitForFirstClient() throws(HostError) {
    let text = "martlet: waiting for a client of \(settings.label)\n"
    _ = text.withCString { Glibc.write(STDERR_FILENO, $0, strlen($0)) }
    var set = sigset_t()
    sigemptyset(&set)
    for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&set, signal) }
    let signals = signalfd(-1, &set, Int32(SFD_CLOEXEC))
    defer { if signals >= 0 { Glibc.close(signals) } }
    while link == nil {
      var waiting = [
        pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
        pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&waiting, 2, -1) > 0 || errno == EINTR else { throw HostError("cannot wait for a client") }
      guard waiting[1].revents == 0 else {
        throw HostError("the wait for a client of \(settings.label) was ended", code: EINTR)
      }
      if waiting[0].revents != 0 { acceptClient() }
    }
  }

  private func acceptClient() {
    guard link == nil, !isClosed else { return }
    let descriptor = martlet_accept4(listener, Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue))
    guard descriptor >= 0 else {
      // Without descriptors left, the client would be announced again and again.
      if errno == EMFILE || errno == ENFILE { pauseAccepting() }
      return
    }
    try? adopt(descriptor)
  }

  private func pauseAccepting() {
    acceptWatch?.interest = []
    timer = timer ?? (try? RetryTimer(loop: loop) { [unowned self] in acceptAgain() })
    timer?.start(seconds: 1)
  }

  private func acceptAgain() {
    if link == nil { acceptWatch?.interest = .readable }
  }

  private func tryAgain() {
    guard link == nil, !isClosed else { return }
    // On the event loop: who does not answer at once is asked again later.
    if let descriptor = try? HostSocket.connect(settings.address, milliseconds: 50) {
      try? adopt(descriptor)
    }
    if link == nil { timer?.start(seconds: settings.reconnectSeconds) }
  }

  /// Takes a connected socket.
  private func adopt(_ descriptor: Int32) throws(HostError) {
    if settings.hasNoDelay { HostSocket.setNoDelay(descriptor) }
    let link = try DescriptorPort(
      channel: DescriptorChannel(input: descriptor, output: descriptor), loop: loop)
    link.onInputEnd = { [unowned self] in disconnect() }
    self.link = link
    acceptWatch?.interest = []
    link.receiver = self
    receiver?.characterPortOpened()
  }

  /// The other side has gone: the next may come.
  private func disconnect() {
    guard let link else { return }
    self.link = nil
    link.close()
    receiver?.characterPortClosed()
    // What was refused for want of room is lost like all that follows; whoever waits for room must know.
    receiver?.characterPortBecameWritable()
    acceptWatch?.interest = .readable
    if settings.reconnectSeconds > 0 { timer?.start(seconds: settings.reconnectSeconds) }
  }

  private func tellOpenedSoon() {
    let reference = PortReference(port: self)
    loop.post {
      guard let port = reference.port, port.link != nil else { return }
      port.receiver?.characterPortOpened()
    }
  }

  /// Carries a port to the loop, which runs posted work with the machine's lock held.
  private final class PortReference: @unchecked Sendable {
    // Unchecked: the port is used with the machine's lock held, here as everywhere.
    weak var port: SocketPort?
    init(port: SocketPort) { self.port = port }
  }

  // MARK: The device's side

  public func write(_ bytes: UnsafeRawBufferPointer) -> Int { link?.write(bytes) ?? bytes.count }

  public func receiverBecameReady() { link?.receiverBecameReady() }

  /// Lets the client go, and removes the socket's file.
  public func close() {
    guard !isClosed else { return }
    isClosed = true
    acceptWatch?.cancel()
    acceptWatch = nil
    timer = nil
    link?.close()
    link = nil
    if listener >= 0 { Glibc.close(listener) }
    listener = -1
    file?.remove()
    file = nil
  }
}

extension SocketPort: CharacterReceiver {
  /// Bytes of the client; until there is a device they wait.
  public func receive(_ bytes: UnsafeRawBufferPointer) -> Int { receiver?.receive(bytes) ?? 0 }
  public func characterPortBecameWritable() { receiver?.characterPortBecameWritable() }
  public func receiveBreak() { receiver?.receiveBreak() }
}

/// Calls a handler after some seconds, on the event loop with the machine's lock held.
private final class RetryTimer {
  private let descriptor: Int32
  private var watch: EventLoop.Watch?

  init(loop: EventLoop, handler: @escaping () -> Void) throws(HostError) {
    descriptor = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
    guard descriptor >= 0 else { throw HostError("cannot create a timerfd") }
    watch = try loop.watch(descriptor, for: .readable) { [descriptor] _ in
      var count: UInt64 = 0
      _ = Glibc.read(descriptor, &count, 8)
      handler()
    }
  }

  deinit {
    watch?.cancel()
    Glibc.close(descriptor)
  }

  func start(seconds: Int) {
    var spec = itimerspec()
    spec.it_value.tv_sec = seconds
    timerfd_settime(descriptor, 0, &spec, nil)
  }
}
