// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc

/// Sockets that wait for viewers on one address.
struct Listener {
  /// The listening sockets: more than one for a name with several addresses.
  private(set) var descriptors: [Int32]
  /// The TCP port, if it is one.
  private(set) var port: Int?
  /// The Unix socket made here, to be removed.
  private var socketFile: (path: String, device: dev_t, inode: ino_t)?

  // MARK: TCP

  /// Listens on `port` at every address of `host` (nil: loopback), or, if it is in use, on the next up to
  /// `lastPort`.
  static func tcp(host: String?, port: Int, lastPort: Int?, isProtected: Bool) throws(VNCError) -> Listener {
    let addresses = try resolve(host)
    let shown = host ?? "localhost"
    if !isProtected, let open = addresses.first(where: { !$0.isLoopback }) {
      throw .publicWithoutPassword(address: open.description)
    }
    let last = max(lastPort ?? port, port)
    for candidate in port...last {
      guard let descriptors = try listen(on: addresses, port: candidate) else { continue }
      return Listener(descriptors: descriptors, port: localPort(of: descriptors[0]))
    }
    throw .portInUse(address: shown, port: port, last: last)
  }

  /// Listens on all addresses.
  /// - Returns: nil if the port is in use on one.
  private static func listen(on addresses: [HostAddress], port: Int) throws(VNCError) -> [Int32]? {
    var descriptors: [Int32] = []
    var port = port
    var failure: HostError?
    for address in addresses {
      let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue) | Self.flags, 0)
      if descriptor < 0 {
        failure = HostError("cannot make a socket for \(address)")
        continue
      }
      setOption(descriptor, SOL_SOCKET, SO_REUSEADDR)
      if address.family == AF_INET6 { setOption(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY) }
      if address.bind(descriptor, port: port) && Glibc.listen(descriptor, 32) == 0 {
        descriptors.append(descriptor)
        // A port chosen by the system is used on the other addresses too.
        if port == 0 { port = localPort(of: descriptor) ?? 0 }
        continue
      }
      let code = errno
      closeDescriptor(descriptor)
      if code == EADDRINUSE {
        for open in descriptors { closeDescriptor(open) }
        return nil
      }
      failure = HostError("cannot listen on \(address) port \(port)", code: code)
    }
    // A host without IPv6 still has IPv4.
    if descriptors.isEmpty, let failure { throw .host(failure) }
    return descriptors
  }

  private static func localPort(of descriptor: Int32) -> Int? {
    var storage = sockaddr_storage()
    var count = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let isKnown = withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &count) == 0 }
    }
    guard isKnown, storage.ss_family == AF_INET || storage.ss_family == AF_INET6 else { return nil }
    // The port is in the same place for both.
    return withUnsafeBytes(of: &storage) {
      Int(UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self)))
    }
  }

  private static func resolve(_ host: String?) throws(VNCError) -> [HostAddress] {
    switch host {
    case nil, "localhost": return [.v4(INADDR_LOOPBACK.bigEndian), .v6(in6addr_loopback)]
    case "*": return [.v4(0), .v6(in6addr_any)]
    case let name?:
      var hints = addrinfo()
      hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
      hints.ai_flags = AI_PASSIVE
      var list: UnsafeMutablePointer<addrinfo>?
      let code = getaddrinfo(name, nil, &hints, &list)
      guard code == 0 else { throw .unknownHost(name, reason: String(cString: gai_strerror(code))) }
      defer { freeaddrinfo(list) }
      var addresses: [HostAddress] = []
      var entry = list
      while let info = entry?.pointee {
        if let address = HostAddress(info.ai_addr) { addresses.append(address) }
        entry = info.ai_next
      }
      guard !addresses.isEmpty else { throw .unknownHost(name, reason: "it has none") }
      return addresses
    }
  }

  // MARK: Unix sockets

  /// Listens on a new Unix socket at `path`, which only this user can use. A socket that nobody listens on any
  /// more is replaced.
  static func unix(path: String) throws(VNCError) -> Listener {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    guard path.utf8.count < capacity else {
      throw .socketPath(path, reason: "the path is longer than \(capacity - 1) bytes")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    try removeStale(path, address: address)
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Self.flags, 0)
    guard descriptor >= 0 else { throw .host(HostError("cannot make a Unix socket")) }
    // On Linux the file gets the permissions that the socket has.
    fchmod(descriptor, 0o600)
    var status = stat()
    guard withAddress(address, { bind(descriptor, $0, $1) }) == 0, Glibc.listen(descriptor, 32) == 0,
      lstat(path, &status) == 0
    else {
      let reason = String(cString: strerror(errno))
      closeDescriptor(descriptor)
      throw .socketPath(path, reason: reason)
    }
    var listener = Listener(descriptors: [descriptor], port: nil)
    listener.socketFile = (path, status.st_dev, status.st_ino)
    return listener
  }

  private static func removeStale(_ path: String, address: sockaddr_un) throws(VNCError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw .socketPath(path, reason: "there is a file of that name")
    }
    let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Self.flags, 0)
    defer { closeDescriptor(probe) }
    let isAnswered = withAddress(address) { connect(probe, $0, $1) } == 0
    if isAnswered || errno == EAGAIN { throw .socketPath(path, reason: "another process listens on it") }
    unlink(path)
  }

  private static func withAddress(
    _ address: sockaddr_un, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    withUnsafePointer(to: address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }

  // MARK: Sockets of others

  /// Takes over a listening socket.
  static func passed(_ descriptor: Int32) -> Listener {
    _ = martlet_fcntl(descriptor, F_SETFL, Int(O_NONBLOCK))
    _ = martlet_fcntl(descriptor, F_SETFD, Int(FD_CLOEXEC))
    return Listener(descriptors: [descriptor], port: localPort(of: descriptor))
  }

  private static let flags = Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)

  private init(descriptors: [Int32], port: Int?) { (self.descriptors, self.port) = (descriptors, port) }

  /// Stops listening, and removes the Unix socket if it is still the same.
  mutating func close() {
    for descriptor in descriptors { Glibc.close(descriptor) }
    descriptors = []
    guard let file = socketFile else { return }
    socketFile = nil
    var status = stat()
    if lstat(file.path, &status) == 0, status.st_dev == file.device, status.st_ino == file.inode {
      unlink(file.path)
    }
  }
}

private func setOption(_ descriptor: Int32, _ level: Int32, _ name: Int32) {
  var one: Int32 = 1
  setsockopt(descriptor, level, name, &one, socklen_t(MemoryLayout<Int32>.size))
}

private func closeDescriptor(_ descriptor: Int32) { _ = Glibc.close(descriptor) }
