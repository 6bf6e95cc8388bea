// SPDX-License-Identifier: GPL-2.0-or-later

/// A resource of a device as `_CRS` and `_PRS` list them (ACPI 6.4, section 6.4, "Resource Data Types for
/// ACPI").
struct ResourceDescriptor {
  /// The encoded form.
  let bytes: [UInt8]

  /// What a memory window promises about caching.
  enum Caching: UInt8 {
    case nonCacheable = 0
    case cacheable = 1
  }

  /// IO (Decode16): `count` ports at `base` (section 6.4.2.5).
  static func ports(_ base: UInt16, count: UInt8) -> Self {
    var bytes: [UInt8] = [0x47, 0x01]
    bytes.append(littleEndian: base)
    bytes.append(littleEndian: base)
    return Self(bytes: bytes + [1, count])
  }

  /// IRQNoFlags: an edge-triggered ISA interrupt, 0 … 15 (section 6.4.2.1).
  static func isaInterrupt(_ irq: UInt8) -> Self {
    var bytes: [UInt8] = [0x22]
    bytes.append(littleEndian: UInt16(1) << UInt16(irq & 15))
    return Self(bytes: bytes)
  }

  /// Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { numbers } (section 6.4.3.6).
  static func sharedInterrupts(_ numbers: [UInt32]) -> Self {
    var bytes: [UInt8] = [0x89]
    bytes.append(littleEndian: UInt16(2 + 4 * numbers.count))
    bytes += [0x09, UInt8(truncatingIfNeeded: numbers.count)]
    for number in numbers { bytes.append(littleEndian: number) }
    return Self(bytes: bytes)
  }

  /// WordBusNumber (ResourceProducer): the buses behind a bridge (section 6.4.3.5.3).
  static func busNumbers(_ range: ClosedRange<UInt16>) -> Self { window(0x88, type: 2, flags: 0, range) }

  /// WordIO (ResourceProducer, EntireRange): the ports behind a bridge.
  static func portWindow(_ range: ClosedRange<UInt16>) -> Self { window(0x88, type: 1, flags: 3, range) }

  /// DWordMemory (ResourceProducer, ReadWrite): memory below 4 GiB behind a bridge (section 6.4.3.5.2).
  static func memoryWindow(_ range: ClosedRange<UInt32>, _ caching: Caching) -> Self {
    window(0x87, type: 0, flags: 1 | caching.rawValue << 1, range)
  }

  /// QWordMemory (ResourceProducer, Cacheable, ReadWrite): memory anywhere behind a bridge (section
  /// 6.4.3.5.1).
  static func memoryWindow64(_ range: ClosedRange<UInt64>) -> Self {
    window(0x8A, type: 0, flags: 1 | Caching.cacheable.rawValue << 1, range)
  }

  /// An address space descriptor: positively decoded, both ends fixed, no translation.
  private static func window<Address: FixedWidthInteger & UnsignedInteger>(
    _ tag: UInt8, type: UInt8, flags: UInt8, _ range: ClosedRange<Address>
  ) -> Self {
    var bytes = [tag]
    bytes.append(littleEndian: UInt16(3 + 5 * MemoryLayout<Address>.size))
    bytes += [type, 0x0C, flags]
    let length = range.upperBound &- range.lowerBound &+ 1
    for value in [0, range.lowerBound, range.upperBound, 0, length] { bytes.append(littleEndian: value) }
    return Self(bytes: bytes)
  }
}
