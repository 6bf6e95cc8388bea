// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc

/// Sockets that listen or connect, none of which blocks.
public enum HostSocket {
  private static let stream = Int32(SOCK_STREAM.rawValue)
  private static let flags = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)

  /// A socket file that was made here and is to be removed.
  public struct File {
    let path: String
    let device: dev_t
    let inode: ino_t

    /// Removes the file, unless there is another in its place by now.
    public func remove() {
      var status = stat()
      guard lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode else { return }
      unlink(path)
    }
  }

  // MARK: Listening

  /// Listens, without waiting for anybody; a socket file left behind by a killed process is replaced.
  public static func listen(_ address: SocketSettings.Address) throws(HostError) -> (
    descriptor: Int32, file: File?
  ) {
    switch address {
    case .unix(let path, let isAbstract):
      if !isAbstract { try removeStale(path) }
      let descriptor = try withUnixAddress(path, isAbstract) { (address, count) throws(HostError) in
        try opened(AF_UNIX, "cannot listen on '\(path)'") {
          bind($0, address, count) == 0 && Glibc.listen($0, 1) == 0
        }
      }
      var status = stat()
      guard !isAbstract, lstat(path, &status) == 0 else { return (descriptor, nil) }
      return (descriptor, File(path: path, device: status.st_dev, inode: status.st_ino))
    case .tcp(let host, let port):
      return (
        try eachAddress(host, port, isPassive: true) { (info) throws(HostError) in
          try opened(info.ai_family, "cannot listen on \(host) port \(port)") { descriptor in
            var one: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
            return bind(descriptor, info.ai_addr, info.ai_addrlen) == 0 && Glibc.listen(descriptor, 1) == 0
          }
        }, nil
      )
    case .descriptor(let descriptor):
      var isListening: Int32 = 0
      var count = socklen_t(MemoryLayout<Int32>.size)
      guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &count) == 0, isListening != 0
      else {
        throw HostError("file descriptor \(descriptor) is no listening socket", code: EINVAL)
      }
      makeOwn(descriptor)
      return (descriptor, nil)
    }
  }

  /// A file that nobody listens behind any more is left over from a process that was killed.
  private static func removeStale(_ path: String) throws(HostError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw HostError("cannot listen on '\(path)': there is a file of that name", code: EEXIST)
    }
    let probe = try withUnixAddress(path, false) { (address, count) throws(HostError) in
      let probe = socket(AF_UNIX, flags, 0)
      guard probe >= 0 else { throw HostError("cannot make a socket") }
      let isAlive = Glibc.connect(probe, address, count) == 0 || errno == EAGAIN
      Glibc.close(probe)
      return isAlive
    }
    guard !probe else {
      throw HostError("cannot listen on '\(path)': another process does", code: EADDRINUSE)
    }
    unlink(path)
  }

  // MARK: Connecting

  /// Connects, and waits for that at most `milliseconds`.
  public static func connect(_ address: SocketSettings.Address, milliseconds: Int32) throws(HostError)
    -> Int32
  {
    switch address {
    case .unix(let path, let isAbstract):
      return try withUnixAddress(path, isAbstract) { (address, count) throws(HostError) in
        try connected(AF_UNIX, "cannot connect to '\(path)'", milliseconds) {
          Glibc.connect($0, address, count)
        }
      }
    case .tcp(let host, let port):
      return try eachAddress(host, port, isPassive: false) { (info) throws(HostError) in
        try connected(info.ai_family, "cannot connect to \(host) port \(port)", milliseconds) {
          Glibc.connect($0, info.ai_addr, info.ai_addrlen)
        }
      }
    case .descriptor(let descriptor):
      var kind: Int32 = 0
      var count = socklen_t(MemoryLayout<Int32>.size)
      guard getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &kind, &count) == 0, kind == stream else {
        throw HostError("file descriptor \(descriptor) is no connected socket", code: EINVAL)
      }
      makeOwn(descriptor)
      return descriptor
    }
  }

  /// A socket for which `begin` has begun to connect, when it is connected.
  private static func connected(
    _ family: Int32, _ what: String, _ milliseconds: Int32, _ begin: (Int32) -> Int32
  ) throws(HostError) -> Int32 {
    var isUnderWay = false
    let descriptor = try opened(family, what) {
      if begin($0) == 0 { return true }
      isUnderWay = errno == EINPROGRESS
      return isUnderWay
    }
    guard isUnderWay else { return descriptor }
    do throws(HostError) {
      guard try EndingSignals.wait(for: descriptor, POLLOUT, milliseconds: milliseconds, what: what) else {
        throw HostError(what, code: ETIMEDOUT)
      }
      var code: Int32 = 0
      var count = socklen_t(MemoryLayout<Int32>.size)
      getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &count)
      guard code == 0 else { throw HostError(what, code: code) }
      return descriptor
    } catch {
      Glibc.close(descriptor)
      throw error
    }
  }

  // MARK: Addresses

  /// The port a server really has; nil for what has none.
  public static func port(of descriptor: Int32) -> UInt16? {
    var storage = sockaddr_storage()
    var count = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let isKnown = withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &count) == 0 }
    }
    guard isKnown, storage.ss_family == AF_INET || storage.ss_family == AF_INET6 else { return nil }
    // The port is in the same place for both.
    return withUnsafeBytes(of: &storage) { UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self)) }
  }

  /// Has TCP send small pieces at once.
  public static func setNoDelay(_ descriptor: Int32) {
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
  }

  private static func makeOwn(_ descriptor: Int32) {
    _ = martlet_fcntl(descriptor, F_SETFD, Int(FD_CLOEXEC))
    _ = martlet_fcntl(descriptor, F_SETFL, Int(martlet_fcntl(descriptor, F_GETFL, 0) | O_NONBLOCK))
  }

  private static func opened(_ family: Int32, _ what: String, _ use: (Int32) -> Bool) throws(HostError)
    -> Int32
  {
    let descriptor = socket(family, flags, 0)
    guard descriptor >= 0 else { throw HostError("cannot make a socket") }
    guard use(descriptor) else {
      let code = errno
      Glibc.close(descriptor)
      throw HostError(what, code: code)
    }
    return descriptor
  }

  private static func withUnixAddress<Result>(
    _ path: String, _ isAbstract: Bool,
    _ body: (UnsafePointer<sockaddr>, socklen_t) throws(HostError) -> Result
  ) throws(HostError) -> Result {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    let first = isAbstract ? 1 : 0
    guard first + path.utf8.count < capacity else {
      throw HostError("the socket's path '\(path)' is longer than \(capacity - 1) bytes", code: ENAMETOOLONG)
    }
    withUnsafeMutableBytes(of: &address.sun_path) { bytes in
      UnsafeMutableRawBufferPointer(rebasing: bytes[first...]).copyBytes(from: path.utf8)
    }
    // The name of an abstract socket ends where the address does.
    let head = MemoryLayout<sockaddr_un>.size - capacity
    let count = isAbstract ? head + 1 + path.utf8.count : MemoryLayout<sockaddr_un>.size
    return try withUnsafePointer(to: address) { (pointer) throws(HostError) in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { (pointer) throws(HostError) in
        try body(pointer, socklen_t(count))
      }
    }
  }

  /// Tries the addresses of a host one after the other.
  private static func eachAddress(
    _ host: String, _ port: UInt16, isPassive: Bool, _ body: (addrinfo) throws(HostError) -> Int32
  ) throws(HostError) -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = stream
    hints.ai_flags = isPassive ? AI_PASSIVE : 0
    var list: UnsafeMutablePointer<addrinfo>?
    let name = host.isEmpty || host == "*" ? nil : host
    let code = getaddrinfo(name, String(port), &hints, &list)
    guard code == 0 else {
      throw HostError("cannot find the host '\(host)': \(String(cString: gai_strerror(code)))", code: ENOENT)
    }
    defer { freeaddrinfo(list) }
    var failure = HostError("the host '\(host)' has no address", code: EADDRNOTAVAIL)
    var entry = list
    while let info = entry?.pointee {
      do throws(HostError) { return try body(info) } catch {
        guard error.code != EINTR else { throw error }
        failure = error
      }
      entry = info.ai_next
    }
    throw failure
  }
}
