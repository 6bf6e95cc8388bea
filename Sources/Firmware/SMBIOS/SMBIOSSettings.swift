// SPDX-License-Identifier: GPL-2.0-or-later

/// What a person wants the SMBIOS tables to say instead of what they would (`-smbios type=N,…`).
public struct SMBIOSSettings: Equatable, Sendable {
  /// A field that can be set, by the name QEMU has for it.
  public enum Field: String, Sendable, CaseIterable {
    case vendor, version, date, release, uefi
    case manufacturer, product, serial, uuid, sku, family
    case asset, location
    case socketPrefix = "sock_pfx"
    case maximumSpeed = "max-speed"
    case currentSpeed = "current-speed"
    case processorID = "processor-id"
    case part
    case locatorPrefix = "loc_pfx"
    case bank, speed

    /// What may be said.
    public enum Kind: Sendable {
      case text
      /// MHz or MT/s, 0 … 65535.
      case number
      /// 64 bits, decimal or hexadecimal.
      case wideNumber
      /// on or off.
      case flag
      /// Two numbers of a byte each with a dot between them.
      case release
      case uuid
    }

    /// What may be said.
    public var kind: Kind {
      switch self {
      case .release: .release
      case .uefi: .flag
      case .uuid: .uuid
      case .maximumSpeed, .currentSpeed, .speed: .number
      case .processorID: .wideNumber
      default: .text
      }
    }
  }

  /// The fields of each type of structure (DSP0134, chapter 7).
  public static let fields: [UInt8: [Field]] = [
    0: [.vendor, .version, .date, .release, .uefi],
    1: [.manufacturer, .product, .version, .serial, .uuid, .sku, .family],
    2: [.manufacturer, .product, .version, .serial, .asset, .location],
    3: [.manufacturer, .version, .serial, .asset, .sku],
    4: [
      .socketPrefix, .manufacturer, .version, .serial, .asset, .part, .maximumSpeed, .currentSpeed,
      .processorID,
    ],
    11: [],
    17: [.locatorPrefix, .bank, .manufacturer, .serial, .asset, .part, .speed],
  ]

  private var values: [UInt8: [Field: String]] = [:]
  /// Strings for whoever looks for them: type 11.
  public var oemStrings: [String] = []

  /// Nothing.
  public init() {}

  /// Whether anything was said about a type.
  public func has(type: UInt8) -> Bool { values[type] != nil || type == 11 && !oemStrings.isEmpty }

  /// Says something about a type.
  public mutating func mention(type: UInt8) { values[type, default: [:]].reserveCapacity(0) }

  /// The value of a field, which is well formed.
  public subscript(type: UInt8, field: Field) -> String? {
    get { values[type]?[field] }
    set { values[type, default: [:]][field] = newValue }
  }

  /// Whether `text` can be the value of a field.
  public static func isWellFormed(_ text: String, for field: Field) -> Bool {
    switch field.kind {
    case .text: true
    case .number: UInt16(text) != nil
    case .wideNumber: wideNumber(text) != nil
    case .flag: text == "on" || text == "off"
    case .release: release(text) != nil
    case .uuid: SystemUUID(text) != nil
    }
  }

  private static func wideNumber(_ text: String) -> UInt64? {
    text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
  }

  private static func release(_ text: String) -> (UInt8, UInt8)? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
    guard parts.count == 2, let major = parts[0], let minor = parts[1] else { return nil }
    return (major, minor)
  }

  // MARK: For the tables

  func text(_ type: UInt8, _ field: Field, _ usual: String) -> String { self[type, field] ?? usual }
  func number(_ type: UInt8, _ field: Field) -> UInt16 { self[type, field].flatMap { UInt16($0) } ?? 0 }
  func wideNumber(_ type: UInt8, _ field: Field) -> UInt64? { self[type, field].flatMap(Self.wideNumber) }
  func release(_ type: UInt8, _ field: Field) -> (UInt8, UInt8)? { self[type, field].flatMap(Self.release) }
  func flag(_ type: UInt8, _ field: Field) -> Bool { self[type, field] == "on" }
}

/// Why a file with a structure of SMBIOS cannot be used.
public enum SMBIOSError: Error, Equatable, CustomStringConvertible, Sendable {
  /// It is not one structure.
  case malformed
  /// The tables make that type themselves, from the fields that were set.
  case fieldsGiven(type: UInt8)
  /// The anchor and end are made here.
  case reserved(type: UInt8)
  /// All together are more than the entry point can say.
  case tooLarge

  /// A sentence for a person.
  public var description: String {
    switch self {
    case .malformed:
      "the file is not a structure of SMBIOS: a formatted area, strings, and two zeroes at the end"
    case .fieldsGiven(let type): "there are fields for type \(type) already; give those or a file"
    case .reserved(let type): "type \(type) is made here and cannot come from a file"
    case .tooLarge: "the tables are larger than 65535 bytes"
    }
  }
}

/// A structure as a file has it (`-smbios file=`).
struct SMBIOSFileStructure {
  let type: UInt8
  let bytes: [UInt8]

  /// Checks that the bytes are one structure. Zeroes that are missing at its end are added, as other programs forgive.
  init(_ contents: [UInt8]) throws(SMBIOSError) {
    guard contents.count >= 4, contents[1] >= 4, Int(contents[1]) <= contents.count else { throw .malformed }
    guard contents[0] != 127 else { throw .reserved(type: contents[0]) }
    type = contents[0]
    var bytes = contents
    let strings = contents[Int(contents[1])...]
    if strings.isEmpty {
      bytes += [0, 0]
    } else {
      // Two zeroes end the structure, and nothing is behind them.
      let end = strings.indices.dropLast().first { strings[$0] == 0 && strings[$0 + 1] == 0 }
      guard end == strings.endIndex - 2 else { throw .malformed }
    }
    self.bytes = bytes
  }
}
