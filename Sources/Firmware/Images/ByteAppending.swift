// SPDX-License-Identifier: GPL-2.0-or-later

extension [UInt8] {
  /// Appends a number, low byte first.
  mutating func append(littleEndian value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }

  /// Overwrites the bytes from `offset` on with a number, low byte first; what is outside is left out.
  mutating func store(_ value: some FixedWidthInteger, at offset: Int) {
    Swift.withUnsafeBytes(of: value.littleEndian) { source in
      for (index, byte) in source.enumerated() where indices.contains(offset + index) {
        self[offset + index] = byte
      }
    }
  }

  /// Appends zeroes until the length is a multiple of `alignment`.
  mutating func pad(to alignment: Int) {
    while count % alignment != 0 { append(0) }
  }
}

extension UnsafeRawBufferPointer {
  /// The little-endian number at `offset`, or nil if it is not all inside.
  func load<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type = Value.self) -> Value? {
    let size = MemoryLayout<Value>.size
    guard offset >= 0, offset <= count, size <= count - offset else { return nil }
    return Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
  }
}
