// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc

/// A port on a socket: a server that serves one client after the other, or a client.
///
/// While nobody is connected, output is taken and lost. A second client waits until the first has left. What a client that
/// has left sent is still read, until the next one comes.
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
  private var timer: OneShotTimer?
  private var isClosed = false
  /// Somebody has come while another was there.
  private var isClientWaiting = false
  private var telnet: TelnetFilter?
  /// A byte 255 is under way to a Telnet client, and its second half had no room.
  private var owesEscape = false
  private var keepsDescriptors = false

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
        acceptWatch = try loop.watch(listener, for: acceptInterest) { [unowned self] _ in
          acceptClient()
        }
      } catch {
        close()
        throw error
      }
    } else if settings.reconnectSeconds > 0 {
      timer = try OneShotTimer(on: loop) { [unowned self] in tryAgain() }
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
    while link == nil {
      _ = try EndingSignals.wait(
        for: listener, POLLIN, milliseconds: -1, what: "the wait for a client of \(settings.label) was ended")
      acceptClient()
    }
  }

  /// Who comes while another is there is announced once.
  private var acceptInterest: EventLoop.Interest {
    link == nil ? .readable : [.readable, .edgeTriggered]
  }

  private func acceptClient() {
    guard !isClosed else { return }
    guard link == nil else {
      isClientWaiting = true
      return giveWay()
    }
    isClientWaiting = false
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
    timer = timer ?? (try? OneShotTimer(on: loop) { [unowned self] in acceptAgain() })
    timer?.arm(afterMilliseconds: 1000)
  }

  private func acceptAgain() {
    if link == nil { acceptWatch?.interest = .readable }
  }

  /// A client that has left does not keep the next one waiting with what the device has not read.
  private func giveWay() {
    if isClientWaiting, link?.peerHasGone == true { disconnect() }
  }

  private func tryAgain() {
    guard link == nil, !isClosed else { return }
    // On the event loop: who does not answer at once is asked again later.
    if let descriptor = try? HostSocket.connect(settings.address, milliseconds: 50) {
      try? adopt(descriptor)
    }
    if link == nil { timer?.arm(afterMilliseconds: settings.reconnectSeconds * 1000) }
  }

  /// Takes a connected socket.
  private func adopt(_ descriptor: Int32) throws(HostError) {
    if settings.hasNoDelay { HostSocket.setNoDelay(descriptor) }
    let link = try DescriptorPort(
      channel: DescriptorChannel(input: descriptor, output: descriptor), loop: loop)
    link.onInputEnd = { [unowned self] in disconnect() }
    link.onInputLeft = { [unowned self] in giveWay() }
    if keepsDescriptors { link.keepDescriptors() }
    self.link = link
    acceptWatch?.interest = acceptInterest
    telnet = settings.isTelnet ? TelnetFilter() : nil
    owesEscape = false
    if telnet != nil && settings.isServer { _ = TelnetFilter.greeting.withUnsafeBytes { link.write($0) } }
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
    if settings.reconnectSeconds > 0 { timer?.arm(afterMilliseconds: settings.reconnectSeconds * 1000) }
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

  public func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard let link else { return bytes.count }
    return telnet == nil ? link.write(bytes) : writeEscaped(bytes, to: link)
  }

  /// Writes to a Telnet client: a byte 255 is doubled.
  private func writeEscaped(_ bytes: UnsafeRawBufferPointer, to link: DescriptorPort) -> Int {
    guard finishEscape(link) else { return 0 }
    var done = 0
    while done < bytes.count {
      let plain = bytes[done...].prefix { $0 != TelnetFilter.command }
      if plain.isEmpty {
        guard writeEscape(link) else { return done }
        done += 1
        owesEscape = true
        guard finishEscape(link) else { return done }
      } else {
        let count = link.write(UnsafeRawBufferPointer(rebasing: plain))
        done += count
        guard count == plain.count else { return done }
      }
    }
    return done
  }

  private func finishEscape(_ link: DescriptorPort) -> Bool {
    if owesEscape { owesEscape = !writeEscape(link) }
    return !owesEscape
  }

  private func writeEscape(_ link: DescriptorPort) -> Bool {
    withUnsafeBytes(of: TelnetFilter.command, link.write) == 1
  }

  public func keepDescriptors() {
    keepsDescriptors = true
    link?.keepDescriptors()
  }

  public func takeDescriptors() -> [Int32] { link?.takeDescriptors() ?? [] }

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
  public func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard let receiver, var filter = telnet else { return receiver?.receive(bytes) ?? 0 }
    for (index, byte) in bytes.enumerated() {
      telnet = filter
      switch filter.take(byte) {
      case .swallow: break
      case .breakSignal: receiver.receiveBreak()
      case .answer(let answer):
        if !owesEscape { _ = answer.withUnsafeBytes { link?.write($0) } }
      case .pass(let byte):
        // What is not taken comes again, and is looked at anew.
        guard withUnsafeBytes(of: byte, receiver.receive) > 0 else { return index }
      }
    }
    telnet = filter
    return bytes.count
  }
  public func characterPortBecameWritable() {
    if let link, !finishEscape(link) { return }
    receiver?.characterPortBecameWritable()
  }
  public func receiveBreak() { receiver?.receiveBreak() }
}
