// SPDX-License-Identifier: GPL-2.0-or-later

import CSlirp
import CharacterDevice
import EventLoop
import Glibc
import Logging

/// A network inside the process (`-netdev user`): libslirp ends the guest's connections and makes the host's instead,
/// answers DHCP, forwards DNS, serves TFTP. It needs no privilege.
///
/// libslirp knows no threads: it is called with the machine's lock held, or by the event loop alone while ``isPolling``.
/// (What it shares between several networks of a process is the time and the host's name servers, as it last read them.)
/// Frames for the guest go straight to the card where it takes them, else into a queue; while the queue is half full no
/// socket is read, so that what waits, waits with the senders.
public final class UserNetwork: PacketPort {
  public weak var receiver: (any PacketReceiver)?
  public var isLinkUp: Bool { true }
  public var offloads: PacketOffloads { [] }
  /// What it was made from.
  public let configuration: UserNetworkConfiguration
  /// `id=`.
  public let id: String

  let library: SlirpFunctions
  let loop: EventLoop
  private let log: Logger
  private(set) var slirp: SlirpFunctions.Slirp?
  private let callbacks: UnsafeMutablePointer<SlirpCb>
  let sockets: SocketSet
  private let queue = PacketQueue()
  /// What the card sends in bursts, or while the event loop has the library.
  private(set) var sending: SendQueue?
  /// The event loop has the library, without the lock.
  var isPolling = false
  /// For the event loop, while it has the library: frames that this has made, and whether so many wait that it is to stop.
  private(set) var deliveredCount = 0
  private(set) var isFilling = false
  private let gathered = UnsafeMutableRawBufferPointer.allocate(
    byteCount: PacketLimits.largestFrame, alignment: 16)
  private var timeout: OneShotTimer?
  private var advertisement: OneShotTimer?
  /// Whether the card is being served, or sends: then nothing is handed to it.
  private var isCardBusy = false
  /// The card takes too little; the sockets are not looked at.
  private(set) var isStarved = false
  /// Character ports that answer in the guest's network.
  private(set) var forwards: [CharacterForward] = []
  private var isSettling = false

  /// Opens the character port that a `guestfwd=` names, for somebody of that label.
  public typealias PortOpener = (_ text: String, _ label: String) throws(CharacterPortError) -> (
    any CharacterPort
  )?

  /// A network.
  public init(
    _ configuration: UserNetworkConfiguration, id: String, loop: EventLoop, log: Logger, openPort: PortOpener
  ) throws(NetworkError) {
    self.configuration = configuration
    self.id = id
    self.loop = loop
    self.log = log
    switch SlirpFunctions.shared {
    case .success(let functions): library = functions
    case .failure(let error): throw .libraryMissing(error.description)
    }
    callbacks = .allocate(capacity: 1)
    callbacks.initialize(to: Self.makeCallbacks())
    do throws(HostError) {
      sockets = try SocketSet(loop: loop)
    } catch {
      gathered.deallocate()
      callbacks.deallocate()
      throw .host(error)
    }
    do throws(HostError) {
      timeout = try OneShotTimer(on: loop) { [unowned self] in poll() }
      advertisement = try OneShotTimer(on: loop) { [unowned self] in
        if let slirp { library.handleTimer(slirp, SLIRP_TIMER_RA, nil) }
        settle()
      }
      try sockets.onReady { [unowned self] in poll() }
      sending = try SendQueue(
        on: loop,
        transmit: { [unowned self] in take($0) },
        onFlush: { [unowned self] in flush() },
        onRoom: { [unowned self] in receiver?.packetPortBecameReady() })
    } catch {
      close()
      throw .host(error)
    }
    slirp = SlirpSettings.withConfiguration(configuration) { settings in
      library.new(settings, callbacks, Unmanaged.passUnretained(self).toOpaque())
    }
    guard slirp != nil else {
      close()
      throw .refused(id: id)
    }
    do throws(NetworkError) {
      for rule in configuration.hostForwards { try add(rule) }
      for rule in configuration.guestForwards { try add(rule, openPort) }
    } catch {
      close()
      throw error
    }
    settle()
  }

  deinit {
    sending?.cancel()
    close()
    gathered.deallocate()
    callbacks.deallocate()
  }

  public func close() {
    if let slirp { library.cleanup(slirp) }
    slirp = nil
    sending?.close()
    for forward in forwards { forward.close() }
    forwards = []
    timeout?.close()
    advertisement?.close()
    sockets.close()
    queue.removeAll()
  }

  // MARK: Forwarding

  /// Forwards a port of the host.
  public func add(_ rule: HostForward) throws(NetworkError) {
    guard let slirp else { return }
    let guest = rule.guestAddress ?? SlirpSettings.firstGuest(configuration)
    let result = Self.withAddresses(
      (rule.hostAddress, rule.hostPort), (guest, rule.guestPort)
    ) { host, guest, size in
      library.addHostForward(slirp, host, size, guest, size, rule.isUDP ? SLIRP_HOSTFWD_UDP : 0)
    }
    guard result == 0 else {
      throw .hostForward(id: id, rule: rule.description, reason: String(cString: strerror(errno)))
    }
    settle()
  }

  /// Ends the forwarding of a port of the host; false if it was not forwarded.
  public func remove(_ rule: HostForward) -> Bool {
    guard let slirp else { return false }
    let result = Self.withAddresses((rule.hostAddress, rule.hostPort), (rule.hostAddress, 0)) {
      host, _, size in
      library.removeHostForward(slirp, host, size, rule.isUDP ? SLIRP_HOSTFWD_UDP : 0)
    }
    settle()
    return result == 0
  }

  private func add(_ rule: GuestForward, _ openPort: PortOpener) throws(NetworkError) {
    guard let slirp else { return }
    var address = rule.address.inAddress
    let result: Int32
    switch rule.target {
    case .command(let text): result = library.addExec(slirp, text, &address, Int32(rule.port))
    case .unixSocket(let path): result = library.addUnix(slirp, path, &address, Int32(rule.port))
    case .characterPort(let text):
      let forward = try open(rule, text, openPort)
      result = library.addGuestForward(
        slirp,
        { bytes, count, context in
          guard let bytes, let context else { return 0 }
          let forward = Unmanaged<CharacterForward>.fromOpaque(context).takeUnretainedValue()
          if !forward.send(UnsafeRawBufferPointer(start: bytes, count: count)) {
            forward.network?.log.debug("libslirp: more than a window for \(forward.rule)")
          }
          return count
        }, Unmanaged.passUnretained(forward).toOpaque(), &address, Int32(rule.port))
    }
    guard result >= 0 else {
      throw .guestForward(
        id: id, rule: rule.description,
        reason:
          "the address must lie in \(configuration.network)/\(configuration.prefixLength) and be nobody's yet"
      )
    }
  }

  private func open(_ rule: GuestForward, _ text: String, _ openPort: PortOpener) throws(NetworkError)
    -> CharacterForward
  {
    do throws(CharacterPortError) {
      guard let port = try openPort(text, "guestfwd.tcp.\(rule.port)") else {
        throw .wrong("'\(text)' is no character device")
      }
      let forward = CharacterForward(rule, port: port)
      forward.network = self
      forwards.append(forward)
      return forward
    } catch { throw .guestForward(id: id, rule: rule.description, reason: error.description) }
  }

  /// How many bytes the guest's connection takes now; 0 without one.
  func room(in forward: CharacterForward) -> Int {
    guard let slirp else { return 0 }
    return library.socketCanReceive(slirp, forward.rule.address.inAddress, Int32(forward.rule.port))
  }

  /// Bytes for the guest, no more than there is room for.
  func forward(_ bytes: UnsafeRawBufferPointer, of forward: CharacterForward) {
    guard let slirp, let base = bytes.baseAddress else { return }
    library.socketReceive(
      slirp, forward.rule.address.inAddress, Int32(forward.rule.port),
      base.assumingMemoryBound(to: UInt8.self), Int32(clamping: bytes.count))
    if !isSettling { settle() }
  }

  private static func withAddresses<Result>(
    _ first: (IPv4Address, UInt16), _ second: (IPv4Address, UInt16),
    _ body: (UnsafePointer<sockaddr>, UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    func make(_ address: IPv4Address, _ port: UInt16) -> sockaddr_in {
      var result = sockaddr_in()
      result.sin_family = sa_family_t(AF_INET)
      result.sin_addr = address.inAddress
      result.sin_port = port.bigEndian
      return result
    }
    let size = MemoryLayout<sockaddr_in>.size
    return withUnsafeBytes(of: make(first.0, first.1)) { first in
      withUnsafeBytes(of: make(second.0, second.1)) { second in
        body(
          first.baseAddress!.assumingMemoryBound(to: sockaddr.self),
          second.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(size))
      }
    }
  }

  /// The connections, as the library tells them, for monitors.
  public var connections: String {
    guard let slirp, let text = library.connectionInfo(slirp) else { return "" }
    defer { free(text) }
    return String(cString: text)
  }

  // MARK: From the card

  public func send(_ pieces: UnsafeBufferPointer<iovec>, _ offload: PacketOffload) -> Bool {
    guard let slirp else { return true }
    if forwards.isEmpty, isPolling || !(sending?.allowsDirect() ?? true) {
      return sending?.append(pieces) ?? true
    }
    // What the library answers at once waits for the end of the batch.
    isCardBusy = true
    defer { isCardBusy = false }
    // The library copies a frame before it looks into it, but for ARP, which is short: the guest must not change that
    // under its eyes.
    if forwards.isEmpty, pieces.count == 1, pieces[0].iov_len > 128, let base = pieces[0].iov_base {
      library.input(slirp, base.assumingMemoryBound(to: UInt8.self), Int32(clamping: pieces[0].iov_len))
      return true
    }
    var length = 0
    for piece in pieces {
      let count = min(piece.iov_len, gathered.count - length)
      if let base = piece.iov_base {
        gathered.baseAddress.map { $0 + length }?.copyMemory(from: base, byteCount: count)
      }
      length += count
    }
    if !forwards.isEmpty, !admit(UnsafeRawBufferPointer(rebasing: gathered[..<length])) { return true }
    if let base = gathered.baseAddress {
      library.input(slirp, base.assumingMemoryBound(to: UInt8.self), Int32(length))
    }
    return true
  }

  /// Looks at a frame of the guest's that may be for a character port; false if the library is not to see it.
  private func admit(_ frame: UnsafeRawBufferPointer) -> Bool {
    guard let segment = GuestSegment(frame),
      forwards.contains(where: { $0.rule.address.bits == segment.destination })
    else { return true }
    // Nobody cuts TCP segments into fragments today, and they could not be looked into.
    guard !segment.isFragment else { return false }
    guard let forward = forwards.first(where: { $0.isFor(segment) }) else { return true }
    // An acknowledgement is let through: what the port sends does not wait.
    if forward.isFull, segment.hasData { return false }
    if segment.isOpening, let slirp, let old = forward.makeRoom(for: segment, like: frame) {
      library.input(slirp, old, Int32(old.count))
    }
    return true
  }

  public func hasRoom() -> Bool { sending?.hasRoom() ?? true }

  public func endOfBatch() {
    sending?.endOfBatch(callsLoop: !isPolling)
    settle()
  }

  // MARK: To the card

  /// A frame of the library's for the guest.
  private func deliver(_ frame: UnsafeRawBufferPointer) -> Int {
    deliveredCount &+= 1
    if isPolling { return loop.lock.withLock { handOver(frame) } }
    return handOver(frame)
  }

  private func handOver(_ frame: UnsafeRawBufferPointer) -> Int {
    if queue.isEmpty, !isCardBusy, let receiver {
      isCardBusy = true
      defer { isCardBusy = false }
      if receiver.receive(frame) { return frame.count }
    }
    isFilling = true
    // TCP sends again what finds no room.
    if !queue.append(frame) { log.debug("network \(id): a frame was lost: the guest takes none") }
    return frame.count
  }

  public func receiverBecameReady() {
    guard !queue.isEmpty else { return }
    settle()
  }

  /// Hands waiting frames to the card, and has the library's sockets waited for.
  func settle() {
    guard !isPolling else { return handOverQueue() }
    isSettling = true
    handOverQueue()
    if !forwards.isEmpty {
      for forward in forwards { forward.offerAgain() }
      handOverQueue()
    }
    isSettling = false
    waitForSockets()
  }

  private func handOverQueue() {
    guard !isCardBusy else { return }
    isCardBusy = true
    while let frame = queue.first, receiver?.receive(frame) ?? true { queue.removeFirst() }
    isCardBusy = false
  }

  // MARK: Sockets and timers

  private func waitForSockets() {
    guard let slirp else { return }
    isFilling = !queue.isEmpty
    isStarved = queue.byteCount > 1 << 19
    guard !isStarved else {
      // The card calls when it has room.
      timeout?.disarm()
      return sockets.pause()
    }
    sockets.beginFill()
    var milliseconds: UInt32 = .max
    library.pollfdsFill(
      slirp, &milliseconds,
      { descriptor, events, context in
        Unmanaged<UserNetwork>.fromOpaque(context!).takeUnretainedValue().sockets.add(descriptor, events)
      }, Unmanaged.passUnretained(self).toOpaque())
    sockets.endFill()
    if milliseconds == .max { timeout?.disarm() } else { timeout?.arm(withinMilliseconds: Int(milliseconds)) }
  }

  // MARK: Callbacks

  private static func of(_ context: UnsafeMutableRawPointer?) -> UserNetwork? {
    context.map { Unmanaged<UserNetwork>.fromOpaque($0).takeUnretainedValue() }
  }

  private static func makeCallbacks() -> SlirpCb {
    var callbacks = SlirpCb()
    callbacks.send_packet = { bytes, count, context in
      UserNetwork.of(context)?.deliver(UnsafeRawBufferPointer(start: bytes, count: count)) ?? count
    }
    callbacks.guest_error = { message, context in
      guard let message else { return }
      UserNetwork.of(context)?.log.debug("libslirp: \(String(cString: message))")
    }
    callbacks.clock_get_ns = { _ in
      var now = timespec()
      clock_gettime(CLOCK_MONOTONIC, &now)
      return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }
    // There is one timer, for router advertisements; any address serves as its name.
    callbacks.timer_new_opaque = { _, _, context in context }
    callbacks.timer_free = { _, context in UserNetwork.of(context)?.advertisement?.disarm() }
    callbacks.timer_mod = { _, milliseconds, context in
      var now = timespec()
      clock_gettime(CLOCK_MONOTONIC, &now)
      let present = Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
      UserNetwork.of(context)?.advertisement?.arm(afterMilliseconds: Int(max(milliseconds - present, 0)))
    }
    callbacks.register_poll_fd = { _, _ in }
    callbacks.unregister_poll_fd = { descriptor, context in
      UserNetwork.of(context)?.sockets.forget(descriptor)
    }
    // What it announces is seen when the sockets are looked at, after each call of the library.
    callbacks.notify = { _ in }
    callbacks.init_completed = { _, _ in }
    return callbacks
  }
}
