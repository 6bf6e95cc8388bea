// SPDX-License-Identifier: GPL-2.0-or-later

/// Numbers in commands and parameters: the highest byte comes first (SPC-3 section 3.5).
extension UnsafeRawBufferPointer {
  func word(_ offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) }
  func dword(_ offset: Int) -> UInt32 { UInt32(word(offset)) << 16 | UInt32(word(offset + 2)) }
  func quad(_ offset: Int) -> UInt64 { UInt64(dword(offset)) << 32 | UInt64(dword(offset + 4)) }
}

/// The low 32 bits as four bytes, the highest first.
func bytes(_ value: UInt64) -> [UInt8] {
  [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt64($0)) }
}

/// Two bytes, the highest first.
func halfword(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }

/// Text in a field, with spaces behind it.
func text(_ text: String, _ count: Int) -> [UInt8] {
  Array((Array(text.utf8) + [UInt8](repeating: 0x20, count: count)).prefix(count))
}
