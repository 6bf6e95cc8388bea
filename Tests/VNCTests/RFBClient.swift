// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import DynamicLibrary
import Foundation
import Glibc

/// A small blocking viewer. A server that stays silent for ten seconds is an error.
final class RFBClient {
  struct Failure: Error, CustomStringConvertible { let description: String }

  /// A rectangle of an update, with pixels if it is raw.
  struct Rectangle: Equatable {
    let x: Int
    let y: Int
    let width: Int
    let height: Int
    let encoding: Int32
    var pixels: [UInt32] = []
    var data: [UInt8] = []
  }

  let descriptor: Int32
  private(set) var width = 0
  private(set) var height = 0
  private(set) var name = ""
  /// The screen as this viewer sees it.
  private(set) var screen: [UInt32] = []
  /// Takes the bytes of RFB out of a WebSocket, if it is one.
  var webSocket = false
  private var buffered: [UInt8] = []

  init(descriptor: Int32) {
    self.descriptor = descriptor
    var limit = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  convenience init(port: Int, receiveBuffer: Int32? = nil) throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    if var receiveBuffer {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size))
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    address.sin_port = UInt16(port).bigEndian
    let result = withUnsafePointer(to: address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else {
      close(descriptor)
      throw Failure(description: "cannot connect to port \(port): \(String(cString: strerror(errno)))")
    }
    self.init(descriptor: descriptor)
  }

  convenience init(path: String) throws {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0 else {
      close(descriptor)
      throw Failure(description: "cannot connect to \(path)")
    }
    self.init(descriptor: descriptor)
  }

  // MARK: Bytes

  func send(_ bytes: [UInt8]) throws {
    var frame = bytes
    if webSocket {
      frame = [0x82]
      if bytes.count < 126 {
        frame.append(0x80 | UInt8(bytes.count))
      } else {
        frame += [0x80 | 126, UInt8(bytes.count >> 8 & 0xFF), UInt8(bytes.count & 0xFF)]
      }
      let mask: [UInt8] = [0x12, 0x34, 0x56, 0x78]
      frame += mask + bytes.enumerated().map { $1 ^ mask[$0 & 3] }
    }
    try sendRaw(frame)
  }

  func sendRaw(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw Failure(description: "the server does not take data") }
      sent += count
    }
  }

  func receive(_ count: Int) throws -> [UInt8] {
    guard webSocket else { return try receiveRaw(count) }
    while buffered.count < count {
      let header = try receiveRaw(2)
      guard header[0] == 0x82 else { throw Failure(description: "frame \(header)") }
      let length: Int
      switch header[1] {
      case 126: length = try receiveRaw(2).reduce(0) { $0 << 8 | Int($1) }
      case 127: length = try receiveRaw(8).reduce(0) { $0 << 8 | Int($1) }
      default: length = Int(header[1])
      }
      buffered += try receiveRaw(length)
    }
    defer { buffered.removeFirst(count) }
    return Array(buffered[..<count])
  }

  func receiveRaw(_ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var received = 0
    while received < count {
      let found = bytes.withUnsafeMutableBytes {
        recv(descriptor, $0.baseAddress! + received, count - received, 0)
      }
      guard found > 0 else {
        throw Failure(description: found == 0 ? "the server hung up" : "the server is silent")
      }
      received += found
    }
    return bytes
  }

  /// Everything until the server hangs up.
  func receiveAll() throws -> [UInt8] {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let found = recv(descriptor, &buffer, buffer.count, 0)
      if found == 0 { return all }
      guard found > 0 else { throw Failure(description: "the server is silent") }
      all += buffer[..<found]
    }
  }

  func number(_ count: Int) throws -> Int { try receive(count).reduce(0) { $0 << 8 | Int($1) } }

  // MARK: Handshake

  /// Shakes hands; the security result is checked.
  func handshake(version: String = "RFB 003.008\n", password: String? = nil, shared: Bool = true) throws {
    guard try receive(12) == Array("RFB 003.008\n".utf8) else { throw Failure(description: "wrong greeting") }
    try send(Array(version.utf8))
    let type: Int
    if version == "RFB 003.003\n" {
      type = try number(4)
    } else {
      let types = try receive(Int(try number(1)))
      guard types.count == 1 else { throw Failure(description: "security types \(types)") }
      type = Int(types[0])
      try send([UInt8(type)])
    }
    guard type == (password == nil ? 1 : 2) else { throw Failure(description: "security type \(type)") }
    if let password {
      var challenge = try receive(16)
      var key = Array(password.utf8CString)
      let encryptBytes: @convention(c) (UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<CChar>) -> Void =
        try DynamicLibrary("libvncserver.so.1").function("rfbEncryptBytes")
      encryptBytes(&challenge, &key)
      try send(challenge)
    }
    let isApples = version == "RFB 003.889\n"
    if password != nil || version == "RFB 003.008\n" {
      guard try number(4) == 0 else { throw Failure(description: "wrong password") }
    }
    // Apple's viewer, where it needs no password, neither expects a result nor sends this.
    if !isApples || password != nil { try send([shared ? 1 : 0]) }
    width = try number(2)
    height = try number(2)
    _ = try receive(16)
    name = String(decoding: try receive(try number(4)), as: UTF8.self)
    screen = .init(repeating: 0xDEAD_BEEF, count: width * height)
  }

  // MARK: Requests

  func setEncodings(_ encodings: [Int32]) throws {
    var message: [UInt8] = [2, 0, UInt8(encodings.count >> 8), UInt8(encodings.count & 0xFF)]
    for encoding in encodings { message += bytes(UInt32(bitPattern: encoding)) }
    try send(message)
  }

  func request(incremental: Bool) throws {
    try send(
      [3, incremental ? 1 : 0] + bytes(UInt16(0)) + bytes(UInt16(0)) + bytes(UInt16(width))
        + bytes(UInt16(height)))
  }

  func key(_ keysym: UInt32, _ isDown: Bool) throws { try send([4, isDown ? 1 : 0, 0, 0] + bytes(keysym)) }

  func extendedKey(_ code: UInt32, _ isDown: Bool, keysym: UInt32 = 0) throws {
    try send([255, 0, 0, isDown ? 1 : 0] + bytes(keysym) + bytes(code))
  }

  func pointer(_ mask: UInt8, _ x: Int, _ y: Int) throws {
    try send([5, mask] + bytes(UInt16(x)) + bytes(UInt16(y)))
  }

  /// Receives one update, and takes its pixels and size over.
  func update() throws -> [Rectangle] {
    guard try number(1) == 0 else { throw Failure(description: "not an update") }
    _ = try receive(1)
    var rectangles: [Rectangle] = []
    for _ in 0..<(try number(2)) {
      let (x, y, w, h) = (try number(2), try number(2), try number(2), try number(2))
      let encoding = Int32(bitPattern: UInt32(try number(4)))
      var rectangle = Rectangle(x: x, y: y, width: w, height: h, encoding: encoding)
      switch encoding {
      case 0:
        let data = try receive(w * h * 4)
        rectangle.pixels = data.withUnsafeBytes { bytes in
          (0..<w * h).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) }
        }
        for row in 0..<h {
          for column in 0..<w { screen[(y + row) * width + x + column] = rectangle.pixels[row * w + column] }
        }
      case -223:
        (width, height) = (w, h)
        screen = .init(repeating: 0xDEAD_BEEF, count: w * h)
      case -239: rectangle.data = try receive(w * h * 4 + (w + 7) / 8 * h)
      case -257, -258, -316: break
      case -261: rectangle.data = try receive(1)
      default: throw Failure(description: "encoding \(encoding)")
      }
      rectangles.append(rectangle)
    }
    return rectangles
  }

  /// Asks for and receives updates until the screen is `expected`.
  func waitForScreen(_ expected: (RFBClient) -> Bool) throws {
    for _ in 0..<200 {
      if expected(self) { return }
      try request(incremental: true)
      _ = try update()
    }
    throw Failure(description: "the screen never became what was expected")
  }

  private func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian, Array.init)
  }
}
