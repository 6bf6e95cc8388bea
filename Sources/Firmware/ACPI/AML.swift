// SPDX-License-Identifier: GPL-2.0-or-later

/// A piece of ACPI Machine Language, made by functions named after the ASL operators.
///
/// Source: ACPI 6.4, chapter 20, "ACPI Machine Language (AML) Specification".
struct AML: Equatable {
  /// The encoded form.
  let bytes: [UInt8]

  // MARK: Names (section 20.2.2)

  /// A name string: "\\_SB.PCI0", "^X", "LNKA". Segments shorter than four characters are filled with `_`.
  static func name(_ path: String) -> AML { AML(bytes: encodedName(path)) }

  private static func encodedName(_ path: String) -> [UInt8] {
    let prefix = path.utf8.prefix { $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "^") }
    let segments = path.dropFirst(prefix.count).split(separator: ".").map { segment in
      Array((Array(segment.utf8) + Array("____".utf8)).prefix(4))
    }
    var bytes = Array(prefix)
    switch segments.count {
    case 0: bytes.append(0x00)
    case 1: break
    case 2: bytes.append(0x2E)
    default: bytes += [0x2F, UInt8(truncatingIfNeeded: segments.count)]
    }
    return bytes + segments.joined()
  }

  // MARK: Data (section 20.2.3)

  /// An integer, in the shortest form.
  static func integer(_ value: UInt64) -> AML {
    switch value {
    case 0: return AML(bytes: [0x00])
    case 1: return AML(bytes: [0x01])
    case ..<0x100: return AML(bytes: [0x0A, UInt8(truncatingIfNeeded: value)])
    case ..<0x1_0000: return fixed(0x0B, UInt16(truncatingIfNeeded: value))
    case ..<0x1_0000_0000: return fixed(0x0C, UInt32(truncatingIfNeeded: value))
    default: return fixed(0x0E, value)
    }
  }

  private static func fixed(_ prefix: UInt8, _ value: some FixedWidthInteger) -> AML {
    var bytes = [prefix]
    bytes.append(littleEndian: value)
    return AML(bytes: bytes)
  }

  /// An ASCII string.
  static func string(_ text: String) -> AML { AML(bytes: [0x0D] + text.utf8 + [0]) }

  /// A compressed EISA identifier such as "PNP0A03" (section 19.3.4): three letters of five bits each and
  /// four hexadecimal digits, in big-endian order.
  static func eisaID(_ text: String) -> AML {
    let characters = Array(text.utf8)
    var value: UInt32 = 0
    for letter in characters.prefix(3) { value = value << 5 | UInt32(letter & 0x1F) }
    value = value << 16 | (UInt32(text.suffix(4), radix: 16) ?? 0)
    return fixed(0x0C, value.byteSwapped)
  }

  /// Package { elements }.
  static func package(_ elements: [AML]) -> AML {
    block([0x12], [UInt8(truncatingIfNeeded: elements.count)], elements)
  }

  /// Buffer { bytes }.
  static func buffer(_ contents: [UInt8]) -> AML {
    block([0x11], integer(UInt64(contents.count)).bytes + contents, [])
  }

  /// ResourceTemplate { descriptors }, ended by an end tag (section 6.4.2.9) without checksum.
  static func resources(_ descriptors: [ResourceDescriptor]) -> AML {
    buffer(descriptors.flatMap(\.bytes) + [0x79, 0x00])
  }

  // MARK: Named objects (section 20.2.5)

  /// Scope (path) { body }.
  static func scope(_ path: String, _ body: [AML]) -> AML { block([0x10], encodedName(path), body) }

  /// Device (name) { body }.
  static func device(_ name: String, _ body: [AML]) -> AML { block([0x5B, 0x82], encodedName(name), body) }

  /// Name (name, value).
  static func define(_ name: String, _ value: AML) -> AML {
    AML(bytes: [0x08] + encodedName(name) + value.bytes)
  }

  /// Method (name, arguments) { body }.
  static func method(_ name: String, arguments: UInt8 = 0, isSerialized: Bool = false, _ body: [AML]) -> AML {
    block([0x14], encodedName(name) + [arguments & 7 | (isSerialized ? 8 : 0)], body)
  }

  /// What an operation region is in.
  enum RegionSpace: UInt8 {
    case pciConfiguration = 2
  }

  /// OperationRegion (name, space, offset, count).
  static func region(_ name: String, _ space: RegionSpace, offset: UInt64, count: UInt64) -> AML {
    AML(
      bytes: [0x5B, 0x80] + encodedName(name) + [space.rawValue] + integer(offset).bytes
        + integer(count).bytes)
  }

  /// Field (region, ByteAcc, NoLock, Preserve) { names of 8 bits each }.
  static func byteFields(_ region: String, _ names: [String]) -> AML {
    block([0x5B, 0x81], encodedName(region) + [0x01] + names.flatMap { encodedName($0) + [8] }, [])
  }

  /// CreateDWordField (buffer, byte offset, name).
  static func createDWordField(_ buffer: AML, _ offset: UInt64, _ name: String) -> AML {
    AML(bytes: [0x8A] + buffer.bytes + integer(offset).bytes + encodedName(name))
  }

  // MARK: Statements and expressions (section 20.2.5.3 and 20.2.5.4)

  /// If (condition) { body }.
  static func ifTrue(_ condition: AML, _ body: [AML]) -> AML { block([0xA0], condition.bytes, body) }

  /// Return (value).
  static func returnValue(_ value: AML) -> AML { AML(bytes: [0xA4] + value.bytes) }

  /// Store (value, target).
  static func store(_ value: AML, _ target: AML) -> AML { AML(bytes: [0x70] + value.bytes + target.bytes) }

  /// And (left, right), the result not stored.
  static func and(_ left: AML, _ right: AML) -> AML { AML(bytes: [0x7B] + left.bytes + right.bytes + [0x00]) }

  /// Or (left, right, target).
  static func or(_ left: AML, _ right: AML, to target: AML) -> AML {
    AML(bytes: [0x7D] + left.bytes + right.bytes + target.bytes)
  }

  /// LLess (left, right).
  static func isLess(_ left: AML, _ right: AML) -> AML { AML(bytes: [0x95] + left.bytes + right.bytes) }

  /// ArgN, N from 0 to 6.
  static func argument(_ number: UInt8) -> AML { AML(bytes: [0x68 + min(number, 6)]) }

  /// name (argument): the call of a method with one argument.
  static func call(_ name: String, _ argument: AML) -> AML { AML(bytes: encodedName(name) + argument.bytes) }

  // MARK: Package lengths (section 20.2.4)

  private static func block(_ opcode: [UInt8], _ head: [UInt8], _ body: [AML]) -> AML {
    let contents = head + body.flatMap(\.bytes)
    return AML(bytes: opcode + packageLength(of: contents.count) + contents)
  }

  /// The length of a package with `count` bytes of contents, its own one to four bytes included: six bits in
  /// one byte, or four bits in the first and eight in each following.
  static func packageLength(of count: Int) -> [UInt8] {
    if count + 1 < 1 << 6 { return [UInt8(count + 1)] }
    var following = 1
    while following < 3 && count + 1 + following >= 1 << (4 + 8 * following) { following += 1 }
    let total = count + 1 + following
    let first = UInt8(following << 6 | total & 0xF)
    return [first] + (0..<following).map { UInt8(truncatingIfNeeded: total >> (4 + 8 * $0)) }
  }
}
