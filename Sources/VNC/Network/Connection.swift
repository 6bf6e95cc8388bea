// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc

/// A viewer's or browser's socket. Only the network thread uses it.
///
/// Between it and the library is a pair of connected sockets: the library reads whole messages from one end and
/// writes its updates there, and never waits for the viewer. What the viewer does not take waits here.
final class Connection {
  /// What has come so far decides what it is.
  private enum Stage {
    /// A browser's request; its head so far.
    case request([UInt8])
    /// RFB, or a browser after its request.
    case rfb
    /// What waits is sent, then it ends.
    case ending
  }

  /// The most that waits for one viewer: an update of the largest screen. More means a defect.
  private static let maximumBacklog = 1 << 30
  /// Input that waits for the library at most, before no more is read.
  private static let maximumInput = 64 << 10

  let descriptor: Int32
  let link: ViewerLink
  /// When the connection must have got past the handshake, in monotonic nanoseconds.
  private(set) var deadline: UInt64?
  /// Since when nothing could be sent, though something waits.
  private(set) var stalledSince: UInt64?
  /// In which order connections came.
  let number: Int

  private unowned let network: Network
  private var watch: EventLoop.Watch?
  private var stage: Stage
  private var output = ByteQueue()
  private var filter: RFBMessageFilter
  private var frames: WebSocketFrames?

  /// The end of the pair that is not the library's.
  private var pair: Int32 = -1
  private var pairWatch: EventLoop.Watch?
  private var input = ByteQueue()
  /// Bytes of the library's greeting still to come; the viewer has it already.
  private var greeting = 0

  /// Whether it is a viewer past the handshake.
  var isEstablished: Bool { filter.isEstablished }

  /// Takes over `descriptor`, a connected, non-blocking socket.
  init(_ descriptor: Int32, number: Int, peer: String, isBrowser: Bool, deadline: UInt64, network: Network) {
    self.descriptor = descriptor
    self.number = number
    self.network = network
    self.deadline = deadline
    link = ViewerLink(peer: peer, number: number, isBrowser: isBrowser)
    filter = RFBMessageFilter(needsPassword: network.configuration.needsPassword)
    stage = isBrowser ? .request([]) : .rfb
  }

  /// Begins to wait for data; greets a viewer.
  func start() throws(HostError) {
    watch = try network.loop.watch(descriptor, for: .readable) { [unowned self] found in self.handle(found) }
    if case .rfb = stage { send(RFB.version) }
  }

  /// Closes both sockets.
  func close() {
    watch?.cancel()
    pairWatch?.cancel()
    (watch, pairWatch) = (nil, nil)
    _ = Glibc.close(descriptor)
    if pair >= 0 { _ = Glibc.close(pair) }
    pair = -1
  }

  private func end(_ reason: String? = nil) { network.remove(self, because: reason) }

  private var isOpen: Bool { watch != nil }

  // MARK: From the viewer

  private func handle(_ found: EventLoop.Interest) {
    if found.contains(.writable) { flush() }
    guard isOpen else { return }
    if found.contains(.readable) {
      receive()
    } else if found.contains(.closed) {
      end("it is gone")
    }
  }

  private func receive() {
    let buffer = network.scratch
    let count = recv(descriptor, buffer.baseAddress, min(buffer.count, 16 << 10), 0)
    guard count > 0 else {
      if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
      return end(count == 0 ? "it hung up" : String(cString: strerror(errno)))
    }
    take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
  }

  private func take(_ bytes: UnsafeRawBufferPointer) {
    switch stage {
    case .request(var head):
      head.append(contentsOf: bytes)
      stage = .request(head)
      takeRequest(head)
    case .rfb:
      guard frames != nil else { return takeRFB(bytes) }
      do {
        guard let (data, controls) = try frames?.receive(bytes) else { return }
        data.withUnsafeBytes { takeRFB($0) }
        for control in controls where isOpen {
          switch control {
          case .ping(let data): send(WebSocketFrames.pong(data))
          case .close:
            send(WebSocketFrames.close)
            endAfterSending()
          }
        }
      } catch { end("its WebSocket is wrong: \(error)") }
    case .ending: break
    }
  }

  private func takeRFB(_ bytes: UnsafeRawBufferPointer) {
    let hadVersion = filter.hasVersion
    do throws(RFBMessageFilter.Violation) {
      try filter.receive(bytes) { input.append($0) }
    } catch {
      return end("\(error)")
    }
    if !hadVersion && filter.hasVersion {
      if filter.choosesSecurityType { sendData([1, filter.securityType]) }
      if network.configuration.needsPassword { deadline = network.now + Network.passwordNanoseconds }
    }
    guard isOpen, pair >= 0 || !filter.isReady || openPair() else { return }
    if filter.isEstablished { deadline = nil }
    flushInput()
  }

  // MARK: The browser's request

  private func takeRequest(_ received: [UInt8]) {
    guard let end = received.firstRange(of: Array("\r\n\r\n".utf8)) else {
      if received.count > HTTPRequest.maximumHeadCount {
        answer(HTTPResponse.text(431, "Request Header Fields Too Large", "This is too much.\n"))
      }
      return
    }
    guard end.lowerBound <= HTTPRequest.maximumHeadCount,
      let request = HTTPRequest(head: received[..<end.lowerBound])
    else { return answer(HTTPResponse.text(400, "Bad Request", "This is not HTTP.\n")) }
    guard request.isHostAllowed(names: network.hostNames) else {
      return answer(
        HTTPResponse.text(403, "Forbidden", "Use this host's address, or 'localhost', in the URL.\n"))
    }
    guard request.isWebSocketUpgrade else {
      return answer(HTTPResponse.file(for: request, in: network.configuration.browserFiles))
    }
    let (response, isAccepted) = HTTPResponse.upgrade(request)
    guard isAccepted else { return answer(response) }
    send(response)
    guard isOpen else { return }
    frames = WebSocketFrames()
    stage = .rfb
    sendData(RFB.version)
    if isOpen, end.upperBound < received.count {
      received[end.upperBound...].withUnsafeBytes { take($0) }
    }
  }

  private func answer(_ response: [UInt8]) {
    send(response)
    if isOpen { endAfterSending() }
  }

  /// Ends once everything is sent.
  private func endAfterSending() {
    stage = .ending
    // From here on it is the sending that must not stall.
    deadline = nil
    if output.isEmpty {
      // Closing with unread data would take the answer away from the browser.
      shutdown(descriptor, Int32(SHUT_WR))
      end()
    }
  }

  // MARK: To the viewer

  /// Sends bytes of RFB.
  private func sendData(_ bytes: [UInt8]) {
    if frames != nil { send(WebSocketFrames.header(count: bytes.count)) }
    if isOpen { send(bytes) }
  }

  private func send(_ bytes: [UInt8]) { bytes.withUnsafeBytes { send($0) } }

  private func send(_ bytes: UnsafeRawBufferPointer) {
    var bytes = bytes
    if output.isEmpty {
      let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      if count < 0 && errno != EAGAIN && errno != EINTR { return end("it is gone") }
      bytes = UnsafeRawBufferPointer(rebasing: bytes[max(count, 0)...])
      guard !bytes.isEmpty else { return }
      stalledSince = network.now
    }
    guard output.count + bytes.count <= Self.maximumBacklog else { return end("too much waits for it") }
    output.append(bytes)
    updateInterest()
    network.needsTick()
  }

  private func flush() {
    var failed = false
    output.drain { bytes in
      let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      if count > 0 { stalledSince = network.now }
      if count < 0 && errno != EAGAIN && errno != EINTR { failed = true }
      return count
    }
    if failed { return end("it is gone") }
    if output.isEmpty { stalledSince = nil }
    updateInterest()
    if link.setBacklog(output.count) { network.wakeScreen() }
    if output.isEmpty, case .ending = stage { endAfterSending() }
  }

  private func updateInterest() {
    var interest: EventLoop.Interest = output.isEmpty ? [] : .writable
    if input.count <= Self.maximumInput { interest.insert(.readable) }
    watch?.interest = interest
  }

  // MARK: The library

  private func openPair() -> Bool {
    var ends: [Int32] = [-1, -1]
    let flags = Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | flags, 0, &ends) == 0 else {
      end("no sockets are left")
      return false
    }
    // The library waits with select, which cannot take larger numbers.
    guard ends[1] < 1024 else {
      for end in ends { _ = Glibc.close(end) }
      end("too many files are open")
      return false
    }
    for end in ends {
      var size: Int32 = 1 << 20
      setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    pair = ends[0]
    // The library's version, and its list of one security type.
    greeting = RFB.version.count + (filter.choosesSecurityType ? 2 : 0)
    do throws(HostError) {
      pairWatch = try network.loop.watch(pair, for: .readable) { [unowned self] found in
        self.handlePair(found)
      }
    } catch {
      _ = Glibc.close(ends[1])
      end("\(error)")
      return false
    }
    // The library looks for the version at once, and must find it, or it waits for 100 ms. It finds the security
    // type too, so that no other server of this process comes in between: the library has one list for all.
    flushInput()
    network.addViewer(ends[1], link: link)
    return true
  }

  private func flushInput() {
    guard pair >= 0 else { return }
    input.drain { bytes in
      Glibc.send(pair, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
    }
    pairWatch?.interest = input.isEmpty ? .readable : [.readable, .writable]
    updateInterest()
  }

  private func handlePair(_ found: EventLoop.Interest) {
    if found.contains(.writable) { flushInput() }
    guard found.contains(.readable) || found.contains(.closed) else { return }
    let buffer = network.scratch
    for _ in 0..<16 {
      let count = recv(pair, buffer.baseAddress, buffer.count, 0)
      if count < 0 && (errno == EAGAIN || errno == EINTR) { break }
      guard count > 0 else { return libraryHungUp() }
      let skipped = min(greeting, count)
      greeting -= skipped
      if skipped < count {
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[skipped..<count])
        if frames != nil { send(WebSocketFrames.header(count: bytes.count)) }
        if isOpen { send(bytes) }
        guard isOpen else { return }
      }
      if count < buffer.count { break }
    }
    if link.setBacklog(output.count) { network.wakeScreen() }
  }

  /// The library ended it: a wrong password, or somebody wants to be alone.
  private func libraryHungUp() {
    pairWatch?.cancel()
    pairWatch = nil
    endAfterSending()
  }
}
