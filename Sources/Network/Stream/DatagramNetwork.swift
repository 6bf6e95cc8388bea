// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc
import Logging

/// A cable over datagrams (`-netdev socket,udp=` and `mcast=`, `-netdev dgram`): a frame is a datagram, and a multicast
/// group a hub.
public final class DatagramNetwork: PacketPort {
  /// Where frames go, and come from.
  public struct Settings: Equatable, Sendable {
    /// A socket address.
    public enum Address: Equatable, Sendable {
      case udp(IPv4Address, UInt16)
      case unix(String)
    }
    /// Where frames are received; nil for any free port.
    public var local: Address?
    /// Where they are sent.
    public var remote: Address
    /// The interface that multicast goes through, by its address; nil for the host's choice.
    public var multicastInterface: IPv4Address?

    /// Frames to `remote`.
    public init(local: Address?, remote: Address, multicastInterface: IPv4Address? = nil) {
      (self.local, self.remote, self.multicastInterface) = (local, remote, multicastInterface)
    }

    /// Whether `remote` is a multicast group, 224.0.0.0/4.
    public var isMulticast: Bool {
      if case .udp(let address, _) = remote { return address.bits >> 28 == 14 }
      return false
    }
  }

  public weak var receiver: (any PacketReceiver)?
  public var isLinkUp: Bool { true }
  public var offloads: PacketOffloads { [] }
  /// `id=`.
  public let id: String

  private let settings: Settings
  private let descriptor: Int32
  /// What sends to a group: a socket of its own, by whose address frames of ours that come back are known. Else the
  /// same that receives.
  private var sender: Int32
  private var own: sockaddr_in?
  private var isClosed = false
  private var watch: EventLoop.Watch?
  private let destination: SocketAddress
  private let buffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: PacketLimits.largestFrame, alignment: 16)
  private var refusedByteCount = 0

  /// Opens the socket.
  public init(_ settings: Settings, id: String, loop: EventLoop) throws(NetworkError) {
    (self.settings, self.id) = (settings, id)
    destination = SocketAddress(settings.remote)
    descriptor = socket(
      destination.family, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    sender = descriptor
    guard descriptor >= 0 else {
      isClosed = true
      throw .socket(id: id, reason: "cannot make a socket: \(String(cString: strerror(errno)))")
    }
    do throws(HostError) {
      try bindSocket()
      watch = try loop.watch(descriptor, for: .readable) { [unowned self] _ in deliver() }
    } catch {
      close()
      throw .socket(id: id, reason: error.description)
    }
  }

  deinit {
    close()
    buffer.deallocate()
  }

  public func close() {
    guard !isClosed else { return }
    isClosed = true
    watch?.cancel()
    watch = nil
    if sender != descriptor { Glibc.close(sender) }
    Glibc.close(descriptor)
    if case .unix(let path)? = settings.local { unlink(path) }
  }

  private func bindSocket() throws(HostError) {
    var one: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    if settings.isMulticast, case .udp(let group, let port) = settings.remote {
      // Several machines of a host share the group's port.
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, size)
      try bind(to: SocketAddress(.udp(group, port)))
      let interface = (settings.multicastInterface ?? IPv4Address(bits: 0)).inAddress
      var membership = ip_mreq(imr_multiaddr: group.inAddress, imr_interface: interface)
      guard
        setsockopt(
          descriptor, Int32(IPPROTO_IP), IP_ADD_MEMBERSHIP, &membership, socklen_t(MemoryLayout<ip_mreq>.size)
        ) == 0
      else { throw HostError("cannot join the group \(group)") }
      try makeSender(interface: interface)
    } else if let local = settings.local {
      if case .unix(let path) = local { unlink(path) }
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, size)
      try bind(to: SocketAddress(local))
    }
  }

  private func makeSender(interface: in_addr) throws(HostError) {
    let socket = Glibc.socket(
      AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard socket >= 0 else { throw HostError("cannot make a socket") }
    sender = socket
    // Other machines of this host are to hear it.
    var one: Int32 = 1
    setsockopt(socket, Int32(IPPROTO_IP), IP_MULTICAST_LOOP, &one, socklen_t(MemoryLayout<Int32>.size))
    if settings.multicastInterface != nil {
      var address = interface
      setsockopt(socket, Int32(IPPROTO_IP), IP_MULTICAST_IF, &address, socklen_t(MemoryLayout<in_addr>.size))
    }
    guard destination.withPointer({ Glibc.connect(socket, $0, $1) }) == 0 else {
      throw HostError("cannot send to \(destination.text)")
    }
    var address = sockaddr_in()
    var count = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isKnown = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &count) == 0 }
    }
    if isKnown { own = address }
  }

  private func bind(to address: SocketAddress) throws(HostError) {
    let result = address.withPointer { Glibc.bind(descriptor, $0, $1) }
    guard result == 0 else { throw HostError("cannot receive on \(address.text)") }
  }

  // MARK: From the card

  public func send(_ frame: UnsafeBufferPointer<iovec>, _ offload: PacketOffload) -> Bool {
    guard !isClosed else { return true }
    var message = msghdr()
    message.msg_iov = UnsafeMutablePointer(mutating: frame.baseAddress)
    message.msg_iovlen = frame.count
    // A datagram that the host has no room for is lost, as datagrams are.
    guard sender == descriptor else {
      _ = sendmsg(sender, &message, Int32(MSG_NOSIGNAL))
      return true
    }
    destination.withPointer { address, count in
      message.msg_name = UnsafeMutableRawPointer(mutating: UnsafeRawPointer(address))
      message.msg_namelen = count
      _ = sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL))
    }
    return true
  }

  // MARK: To the card

  private func deliver() {
    for _ in 0..<64 {
      // The card calls when it takes the one that waits.
      guard !isClosed, refusedByteCount == 0 else { return }
      var source = sockaddr_in()
      let count = receiveDatagram(&source)
      guard count > 0 else { return }
      if let own, own.sin_port == source.sin_port, own.sin_addr.s_addr == source.sin_addr.s_addr { continue }
      if !handOver(count) {
        refusedByteCount = count
        watch?.interest = []
      }
    }
  }

  /// Gives the card the frame in `buffer`; false if it has no room.
  private func handOver(_ count: Int) -> Bool {
    receiver?.receive(UnsafeRawBufferPointer(rebasing: buffer[..<count])) ?? true
  }

  private func receiveDatagram(_ source: inout sockaddr_in) -> Int {
    // Of a Unix socket's address there is nothing to be seen.
    var count = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafeMutablePointer(to: &source) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        recvfrom(descriptor, buffer.baseAddress, buffer.count, 0, $0, &count)
      }
    }
  }

  public func receiverBecameReady() {
    guard refusedByteCount > 0, handOver(refusedByteCount) else { return }
    refusedByteCount = 0
    watch?.interest = .readable
  }
}
