// SPDX-License-Identifier: GPL-2.0-or-later

/// The machine's UUID (RFC 4122).
public struct SystemUUID: Equatable, Sendable {
  /// The 16 bytes in the order in which the text form has them.
  public let bytes: [UInt8]

  /// No UUID: all zero.
  public static let none = SystemUUID()

  private init() { bytes = [UInt8](repeating: 0, count: 16) }

  /// Reads the text form, "12345678-9abc-def0-1234-56789abcdef0"; nil if it is not one.
  public init?(_ text: String) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.map(\.utf8.count) == [8, 4, 4, 4, 12] else { return nil }
    let digits = parts.joined().compactMap(\.hexDigitValue)
    guard digits.count == 32 else { return nil }
    bytes = stride(from: 0, to: 32, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }

  /// As SMBIOS 2.6 and later have it: the first three fields low byte first (DSP0134, section 7.2.1).
  var smbiosBytes: [UInt8] {
    bytes[0..<4].reversed() + bytes[4..<6].reversed() + bytes[6..<8].reversed() + bytes[8...]
  }
}
