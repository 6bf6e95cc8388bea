// SPDX-License-Identifier: GPL-2.0-or-later

/// An operand size: UInt8, UInt16, UInt32, UInt64.
protocol Width: FixedWidthInteger, UnsignedInteger where Magnitude == Self {
  associatedtype Signed: FixedWidthInteger & SignedInteger
}

extension UInt8: Width { typealias Signed = Int8 }
extension UInt16: Width { typealias Signed = Int16 }
extension UInt32: Width { typealias Signed = Int32 }
extension UInt64: Width { typealias Signed = Int64 }

extension Width {
  /// The value, sign-extended.
  @inline(__always)
  var signExtended: Int64 { Int64(truncatingIfNeeded: Signed(truncatingIfNeeded: self)) }
  @inline(__always)
  static var byteCount: Int { MemoryLayout<Self>.size }
  @inline(__always)
  init(_ operation: UnsafePointer<Operation>) { self.init(truncatingIfNeeded: operation.pointee.immediate) }
}

/// A processor, as handlers see it.
typealias CPU = UnsafeMutablePointer<Processor>

extension UnsafeMutablePointer<Processor> {
  /// A general register, by its byte offset.
  @inline(__always)
  func get<T: Width>(_ offset: UInt8, as type: T.Type = T.self) -> T {
    UnsafeRawPointer(self).loadUnaligned(fromByteOffset: Int(offset), as: T.self)
  }

  /// Sets a general register, by its byte offset: 32-bit values clear the upper half, smaller ones leave the
  /// rest.
  @inline(__always)
  func set<T: Width>(_ offset: UInt8, _ value: T) {
    if T.bitWidth == 32 {
      UnsafeMutableRawPointer(self).storeBytes(
        of: UInt64(truncatingIfNeeded: value), toByteOffset: Int(offset), as: UInt64.self)
    } else {
      UnsafeMutableRawPointer(self).storeBytes(of: value, toByteOffset: Int(offset), as: T.self)
    }
  }

  @inline(__always) var rax: UInt64 {
    get { get(0) }
    nonmutating set { set(0, newValue) }
  }
  @inline(__always) var rcx: UInt64 {
    get { get(8) }
    nonmutating set { set(8, newValue) }
  }
  @inline(__always) var rdx: UInt64 {
    get { get(16) }
    nonmutating set { set(16, newValue) }
  }
  @inline(__always) var rbx: UInt64 {
    get { get(24) }
    nonmutating set { set(24, newValue) }
  }
  @inline(__always) var rsp: UInt64 {
    get { get(32) }
    nonmutating set { set(32, newValue) }
  }
  @inline(__always) var rbp: UInt64 {
    get { get(40) }
    nonmutating set { set(40, newValue) }
  }
  @inline(__always) var rsi: UInt64 {
    get { get(48) }
    nonmutating set { set(48, newValue) }
  }
  @inline(__always) var rdi: UInt64 {
    get { get(56) }
    nonmutating set { set(56, newValue) }
  }
}
