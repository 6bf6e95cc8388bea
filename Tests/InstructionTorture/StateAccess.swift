// SPDX-License-Identifier: GPL-2.0-or-later

import CNativeExecutor

extension UnsafeMutablePointer<native_state> {
  /// The general-purpose registers, as encodings number them.
  public var gpr: UnsafeMutablePointer<UInt64> {
    UnsafeMutableRawPointer(self).assumingMemoryBound(to: UInt64.self)
  }
  /// The FXSAVE image.
  public var fx: UnsafeMutableRawPointer { UnsafeMutableRawPointer(self) + FXSAVE.offsetInState }
}

extension UnsafePointer<native_state> {
  /// The general-purpose registers, as encodings number them.
  public var gpr: UnsafePointer<UInt64> { UnsafeRawPointer(self).assumingMemoryBound(to: UInt64.self) }
  /// The FXSAVE image.
  public var fx: UnsafeRawPointer { UnsafeRawPointer(self) + FXSAVE.offsetInState }
}

/// Offsets in the FXSAVE image (SDM volume 1, table 10-2).
public enum FXSAVE {
  static let offsetInState = MemoryLayout<native_state>.offset(of: \.fx)!
  /// Control word, status word, abridged tag word.
  public static let fcw = 0, fsw = 2, ftw = 4
  /// MXCSR, the eight stack registers and the sixteen XMM registers, 16 bytes each.
  public static let mxcsr = 24, st = 32, xmm = 160
}

/// RFLAGS.
public enum Flag {
  public static let cf: UInt64 = 1 << 0, pf: UInt64 = 1 << 2, af: UInt64 = 1 << 4, zf: UInt64 = 1 << 6
  public static let sf: UInt64 = 1 << 7, df: UInt64 = 1 << 10, of: UInt64 = 1 << 11
  public static let nt: UInt64 = 1 << 14, ac: UInt64 = 1 << 18, id: UInt64 = 1 << 21
  /// CF PF AF ZF SF OF.
  public static let status = cf | pf | af | zf | sf | of
}

/// Room for cases or outcomes, outside Swift's arrays so that C's structures are not copied.
public final class Batch<Element> {
  /// The room.
  public let elements: UnsafeMutableBufferPointer<Element>
  /// Zeroed room for `count` elements (C structures).
  public init(count: Int) {
    elements = .allocate(capacity: count)
    UnsafeMutableRawBufferPointer(elements).initializeMemory(as: UInt8.self, repeating: 0)
  }
  deinit { elements.deallocate() }
}
