// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import EventLoop
import Glibc
import Testing

@testable import Block

/// A directory of its own for each test, removed with the object.
final class TemporaryDirectory {
  let path: String
  private var files: Set<String> = []

  init() throws {
    var template = Array("/var/tmp/martlet-block-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw HostError("mkdtemp") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for file in files { unlink(file) }
    rmdir(path)
  }

  /// The path of a file that is removed at the end.
  func path(_ name: String) -> String {
    files.insert(path + "/" + name)
    return path + "/" + name
  }

  /// Writes a file and returns its path.
  func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    let path = path(name)
    let descriptor = martlet_open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw HostError("cannot make \(path)") }
    defer { close(descriptor) }
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
      throw HostError("cannot write \(path)")
    }
    return path
  }
}

/// What a file holds.
func contents(of path: String) throws -> [UInt8] {
  let descriptor = martlet_open(path, O_RDONLY | O_CLOEXEC, 0)
  guard descriptor >= 0 else { throw HostError("cannot open \(path)") }
  defer { close(descriptor) }
  var status = stat()
  fstat(descriptor, &status)
  return [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, count in
    count = max(0, Glibc.read(descriptor, buffer.baseAddress, buffer.count))
  }
}

/// Runs a command; returns what it printed without line ends, or nil if it failed.
func shell(_ command: String) -> String? {
  guard let pipe = popen(command + " 2>/dev/null", "r") else { return nil }
  var output: [UInt8] = []
  while case let byte = fgetc(pipe), byte != EOF { output.append(UInt8(truncatingIfNeeded: byte)) }
  return pclose(pipe) == 0 ? String(decoding: output.filter { $0 != 0x0A }, as: UTF8.self) : nil
}

/// Bytes that differ from sector to sector.
func pattern(_ count: Int, seed: UInt8 = 1) -> [UInt8] {
  [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
    var index = 0
    while index < count {
      buffer[index] = UInt8(truncatingIfNeeded: index &* 31 &+ index >> 9 &* 7) &+ seed
      index += 1
    }
    initializedCount = count
  }
}

/// A loop, and requests on a device that are waited for.
final class BlockHarness: BlockRequestOwner {
  let lock = MachineLock()
  let loop: EventLoop
  let directory: TemporaryDirectory
  private(set) var completions: [BlockResult] = []
  private(set) var order: [Int] = []

  init() throws {
    loop = try EventLoop(lock: lock)
    directory = try TemporaryDirectory()
  }

  func blockRequestCompleted(_ request: BlockRequest) {
    completions.append(request.result)
    order.append(request.tag)
  }

  func open(_ path: String, _ options: BlockOptions = BlockOptions()) throws -> RawImage {
    try lock.withLock { try RawImage.open(path: path, options: options, loop: loop) }
  }

  /// A request over `buffer`, cut into segments of at most `segment` bytes.
  func request(
    _ operation: BlockOperation, offset: UInt64, buffer: UnsafeMutableRawBufferPointer? = nil,
    byteCount: UInt64 = 0, segment: Int = .max
  ) -> BlockRequest {
    let request = BlockRequest(owner: self)
    fill(request, operation, offset: offset, buffer: buffer, byteCount: byteCount, segment: segment)
    return request
  }

  func fill(
    _ request: BlockRequest, _ operation: BlockOperation, offset: UInt64,
    buffer: UnsafeMutableRawBufferPointer?, byteCount: UInt64 = 0, segment: Int = .max
  ) {
    request.operation = operation
    request.offset = offset
    request.byteCount = byteCount
    request.removeSegments()
    guard let buffer else { return }
    var rest = buffer[...]
    while !rest.isEmpty {
      let piece = rest.prefix(segment)
      #expect(request.append(UnsafeMutableRawBufferPointer(rebasing: piece)))
      rest = rest.dropFirst(piece.count)
    }
  }

  /// Runs the loop until `request` is done.
  @discardableResult
  func wait(for request: BlockRequest) -> BlockResult {
    while lock.withLock({ request.isInFlight }) { loop.runOnce(timeoutMilliseconds: 1000) }
    return request.result
  }

  @discardableResult
  func perform(_ request: BlockRequest, on device: any BlockDevice) -> BlockResult {
    lock.withLock { device.submit(request) }
    return wait(for: request)
  }

  func read(_ device: any BlockDevice, at offset: UInt64, _ count: Int, misalignment: Int = 0) -> (
    BlockResult, [UInt8]
  ) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count + misalignment, alignment: 4096)
    defer { buffer.deallocate() }
    buffer.initializeMemory(as: UInt8.self, repeating: 0xEE)
    let part = UnsafeMutableRawBufferPointer(rebasing: buffer[misalignment...])
    let result = perform(request(.read, offset: offset, buffer: part), on: device)
    return (result, Array(part))
  }

  func write(_ device: any BlockDevice, at offset: UInt64, _ bytes: [UInt8], misalignment: Int = 0)
    -> BlockResult
  {
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: bytes.count + misalignment, alignment: 4096)
    defer { buffer.deallocate() }
    let part = UnsafeMutableRawBufferPointer(rebasing: buffer[misalignment...])
    part.copyBytes(from: bytes)
    return perform(request(.write, offset: offset, buffer: part), on: device)
  }

  func flush(_ device: any BlockDevice) -> BlockResult {
    perform(request(.flush, offset: 0), on: device)
  }

  func close(_ device: any BlockDevice) { lock.withLock { device.close() } }
}
