// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// Bytes that never change once made: a firmware image, an fw_cfg item, a kernel.
///
/// They lie in memory of their own rather than in an array, so that the guest's reads of them touch no
/// reference count, and so that pages of zeroes in a large blob cost nothing until they are read.
public final class FirmwareBlob: @unchecked Sendable {
  // Unchecked: the bytes are written only while the object is made, before anyone else has it.

  /// The bytes; whoever keeps the pointer keeps the blob as well.
  let bytes: UnsafeRawBufferPointer
  private let mapping: UnsafeMutableRawPointer?

  /// The bytes in an array of their own.
  public var copy: [UInt8] { Array(bytes) }

  /// The length in bytes.
  public var count: Int { bytes.count }

  /// `count` bytes of zero, which `fill` then writes; nil if the host has no memory for them.
  public init?(count: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) {
    guard count > 0 else {
      guard count == 0 else { return nil }
      mapping = nil
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard
      let memory = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      memory != MAP_FAILED
    else { return nil }
    mapping = memory
    bytes = UnsafeRawBufferPointer(start: memory, count: count)
    fill(UnsafeMutableRawBufferPointer(start: memory, count: count))
  }

  /// A copy of `source`.
  public init(_ source: [UInt8]) {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(source.count, 1), alignment: 16)
    source.withUnsafeBytes {
      if let base = $0.baseAddress { memory.copyMemory(from: base, byteCount: $0.count) }
    }
    mapping = nil
    bytes = UnsafeRawBufferPointer(start: memory, count: source.count)
  }

  deinit {
    if let mapping {
      munmap(mapping, bytes.count)
    } else {
      bytes.baseAddress?.deallocate()
    }
  }

  /// Calls `body` with the bytes, which stay valid while it runs.
  public func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(self) {} }
    return try body(bytes)
  }

  /// The bytes as an array.
  public var array: [UInt8] { withBytes { [UInt8]($0) } }
}
