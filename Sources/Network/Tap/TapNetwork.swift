// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import CTUN
import EventLoop
import Glibc
import Logging

/// A tap device of the host's (Linux, Documentation/networking/tuntap.rst). Frames go from guest memory into the kernel
/// in one call, and come out in one copy.
public final class TapNetwork: PacketPort {
  public weak var receiver: (any PacketReceiver)?
  public var isLinkUp: Bool { true }
  public private(set) var offloads: PacketOffloads = []
  /// `id=`.
  public let id: String
  /// The interface's name.
  public private(set) var interfaceName = ""

  private let configuration: TapConfiguration
  private let loop: EventLoop
  private let log: Logger
  private let descriptor: Int32
  private var isClosed = false
  private var watch: EventLoop.Watch?
  private var sending: SendQueue?
  /// The bytes before each frame.
  private var headerByteCount = 0
  private let buffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: PacketLimits.largestFrame + 16, alignment: 16)
  private let header = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 16)
  private let pieces = UnsafeMutableBufferPointer<iovec>.allocate(capacity: PacketLimits.mostPieces + 1)
  /// A frame in `buffer` that the card has refused; 0 for none.
  private var refusedByteCount = 0

  /// Opens or makes the device, and runs the script for it.
  public init(_ configuration: TapConfiguration, id: String, loop: EventLoop, log: Logger)
    throws(NetworkError)
  {
    (self.configuration, self.id, self.loop, self.log) = (configuration, id, loop, log)
    var made = configuration.descriptor
    if let helper = configuration.helper { made = try helper.makeTap(id: id) }
    if let given = made {
      descriptor = given
      _ = martlet_fcntl(given, F_SETFD, Int(FD_CLOEXEC))
      _ = martlet_fcntl(given, F_SETFL, Int(martlet_fcntl(given, F_GETFL, 0) | O_NONBLOCK))
    } else {
      descriptor = martlet_open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK, 0)
      guard descriptor >= 0 else {
        isClosed = true
        throw .tap(id: id, reason: "cannot open /dev/net/tun: \(String(cString: strerror(errno)))")
      }
    }
    do throws(NetworkError) {
      if configuration.isMade { try examineInterface() } else { try makeInterface() }
      settleOffloads()
      if let script = configuration.upScript { try NetworkScript.run(script, [interfaceName]) }
    } catch {
      Glibc.close(descriptor)
      isClosed = true
      throw error
    }
    do throws(HostError) {
      watch = try loop.watch(descriptor, for: .readable) { [unowned self] in ready($0) }
      sending = try SendQueue(
        on: loop,
        transmit: { [unowned self] in write($0) },
        onFlush: { [unowned self] in flush() },
        onRoom: { [unowned self] in receiver?.packetPortBecameReady() })
    } catch {
      close()
      throw .host(error)
    }
  }

  deinit {
    sending?.cancel()
    close()
    buffer.deallocate()
    header.deallocate()
    pieces.deallocate()
  }

  public func close() {
    guard !isClosed else { return }
    sending?.close()
    isClosed = true
    watch?.cancel()
    watch = nil
    if let script = configuration.downScript {
      do throws(NetworkError) { try NetworkScript.run(script, [interfaceName]) } catch {
        log.warning("\(error)")
      }
    }
    Glibc.close(descriptor)
  }

  // MARK: The device

  private func makeInterface() throws(NetworkError) {
    var features: UInt32 = 0
    let knowsHeader =
      ioctl(descriptor, martlet_TUNGETFEATURES, &features) == 0 && features & UInt32(IFF_VNET_HDR) != 0
    var request = ifreq()
    var flags = Int32(IFF_TAP) | Int32(IFF_NO_PI)
    if knowsHeader && configuration.hasOffloads { flags |= Int32(IFF_VNET_HDR) }
    request.ifr_ifru.ifru_flags = Int16(truncatingIfNeeded: flags)
    setName(configuration.interfaceName ?? "tap%d", of: &request)
    guard ioctl(descriptor, martlet_TUNSETIFF, &request) == 0 else {
      let code = errno
      let name = configuration.interfaceName ?? "tapN"
      switch code {
      case EPERM:
        throw .tap(
          id: id,
          reason: "not allowed to use the tap device '\(name)': have root make it ('ip tuntap add dev \(name)"
            + " mode tap user $USER'), or use -nic user")
      case EBUSY: throw .tap(id: id, reason: "the tap device '\(name)' is in use by another process")
      default:
        throw .tap(id: id, reason: "cannot make the tap device '\(name)': \(String(cString: strerror(code)))")
      }
    }
    take(request)
  }

  private func examineInterface() throws(NetworkError) {
    var request = ifreq()
    guard ioctl(descriptor, martlet_TUNGETIFF, &request) == 0 else {
      throw .tap(id: id, reason: "file descriptor \(descriptor) is no tap device")
    }
    guard Int32(request.ifr_ifru.ifru_flags) & Int32(IFF_TAP) != 0 else {
      throw .tap(
        id: id, reason: "file descriptor \(descriptor) is a tun device, which has no Ethernet frames; use tap"
      )
    }
    take(request)
  }

  private func take(_ request: ifreq) {
    let flags = Int32(request.ifr_ifru.ifru_flags)
    headerByteCount = flags & Int32(IFF_VNET_HDR) != 0 ? VirtualNetworkHeader.byteCount : 0
    interfaceName = withUnsafeBytes(of: request.ifr_ifrn) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  private func setName(_ name: String, of request: inout ifreq) {
    withUnsafeMutableBytes(of: &request.ifr_ifrn) { $0.copyBytes(from: name.utf8.prefix(Int(IFNAMSIZ) - 1)) }
  }

  private func settleOffloads() {
    if headerByteCount > 0 {
      var size = Int32(VirtualNetworkHeader.byteCount)
      if ioctl(descriptor, martlet_TUNSETVNETHDRSZ, &size) == 0, configuration.hasOffloads {
        offloads = [.checksum, .tcpSegmentation4, .tcpSegmentation6]
      }
      // Whole frames only, for the guest: the cards know no longer ones.
      _ = ioctl(descriptor, martlet_TUNSETOFFLOAD, 0)
    }
    if configuration.sendBufferByteCount > 0 {
      var size = Int32(clamping: configuration.sendBufferByteCount)
      _ = ioctl(descriptor, martlet_TUNSETSNDBUF, &size)
    }
  }

  // MARK: From the card

  public func send(_ frame: UnsafeBufferPointer<iovec>, _ offload: PacketOffload) -> Bool {
    guard !isClosed, frame.count < pieces.count else { return true }
    var count = 0
    if headerByteCount > 0 {
      VirtualNetworkHeader.store(offload, in: header)
      pieces[0] = iovec(iov_base: header, iov_len: headerByteCount)
      count = 1
    }
    for piece in frame {
      pieces[count] = piece
      count += 1
    }
    let whole = UnsafeBufferPointer(rebasing: pieces[..<count])
    if sending?.allowsDirect() ?? false {
      if isTaken(writev(descriptor, whole.baseAddress, Int32(truncatingIfNeeded: count))) { return true }
      sending?.block()
      updateInterest()
    }
    return sending?.append(whole) ?? true
  }

  public func hasRoom() -> Bool { sending?.hasRoom() ?? true }
  public func endOfBatch() { sending?.endOfBatch() }

  /// The kernel takes a frame or has no room; one it does not want (the interface is down) is lost.
  private func isTaken(_ result: Int) -> Bool { result >= 0 || errno != EAGAIN }

  private func write(_ frames: UnsafeBufferPointer<UnsafeRawBufferPointer>) -> Int {
    frames.firstIndex { !isTaken(Glibc.write(descriptor, $0.baseAddress, $0.count)) } ?? frames.count
  }

  private func flush() {
    sending?.flush()
    updateInterest()
  }

  private func ready(_ found: EventLoop.Interest) {
    if found.contains(.closed) {
      log.warning("network \(id): the tap device '\(interfaceName)' is gone")
      watch?.cancel()
      watch = nil
    }
    if found.contains(.writable) || found.contains(.closed) {
      sending?.unblock()
      flush()
    }
    if found.contains(.readable) { deliver() }
  }

  private func updateInterest() {
    var interest: EventLoop.Interest = []
    if refusedByteCount == 0 { interest.insert(.readable) }
    if sending?.isBlocked ?? false { interest.insert(.writable) }
    watch?.interest = interest
  }

  // MARK: To the card

  /// Reads frames while others may have the lock, and hands them over with it.
  private func deliver() {
    // A bounded number of frames a turn, so that others have theirs.
    for _ in 0..<64 {
      // The card calls when it takes the one that waits.
      guard !isClosed, refusedByteCount == 0 else { return }
      let count = loop.withoutLock { read(descriptor, buffer.baseAddress, buffer.count) }
      guard count > headerByteCount else { return }
      if !handOver(count) {
        refusedByteCount = count
        updateInterest()
      }
    }
  }

  /// Gives the card the frame in `buffer`; false if it has no room.
  private func handOver(_ count: Int) -> Bool {
    receiver?.receive(UnsafeRawBufferPointer(rebasing: buffer[headerByteCount..<count])) ?? true
  }

  public func receiverBecameReady() {
    guard refusedByteCount > 0, handOver(refusedByteCount) else { return }
    refusedByteCount = 0
    // The event loop goes on, so that the guest's processor does not read what waits with the lock held.
    updateInterest()
  }
}
