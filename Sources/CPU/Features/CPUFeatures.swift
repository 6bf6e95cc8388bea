// SPDX-License-Identifier: GPL-2.0-or-later

/// A set of CPU features: one mask for each CPUID register that holds features.
public struct CPUFeatures: Equatable, Sendable {
  private var masks: [UInt32]

  /// No features.
  public init() { masks = Array(repeating: 0, count: CPUIDWord.allCases.count) }

  /// The features in these registers.
  public init(_ words: [CPUIDWord: UInt32]) {
    self.init()
    for (word, mask) in words { self[word] = mask }
  }

  /// The bits of one register.
  public subscript(word: CPUIDWord) -> UInt32 {
    get { masks[word.rawValue] }
    set { masks[word.rawValue] = newValue }
  }

  /// The features in both.
  public func intersection(_ other: Self) -> Self { combined(with: other) { $0 & $1 } }
  /// The features in either.
  public func union(_ other: Self) -> Self { combined(with: other) { $0 | $1 } }
  /// The features not in `other`.
  public func subtracting(_ other: Self) -> Self { combined(with: other) { $0 & ~$1 } }
  /// Whether there is none.
  public var isEmpty: Bool { masks.allSatisfy { $0 == 0 } }
  /// Whether any of `other` is here.
  public func intersects(_ other: Self) -> Bool { !intersection(other).isEmpty }

  private func combined(with other: Self, _ operation: (UInt32, UInt32) -> UInt32) -> Self {
    var result = Self()
    for (index, pair) in zip(masks, other.masks).enumerated() {
      result.masks[index] = operation(pair.0, pair.1)
    }
    return result
  }

  // MARK: Names

  /// The features by their names, as in `-cpu MODEL,+NAME`, spelled as QEMU spells them. A name may mean
  /// several bits.
  private static let named: [String: CPUFeatures] = {
    var table: [String: CPUFeatures] = [:]
    for word in CPUIDWord.allCases {
      for (bit, name) in word.names.split(separator: " ").enumerated() where name != "-" {
        table[String(name), default: CPUFeatures()][word] |= 1 << UInt32(bit)
      }
    }
    return table
  }()

  /// Other spellings.
  private static let aliases = [
    "sse3": "pni", "sse4-1": "sse4.1", "sse4-2": "sse4.2", "ffxsr": "fxsr-opt", "i64": "lm", "xd": "nx",
    "hv": "hypervisor", "kvm-clock": "kvmclock",
  ]

  /// All names, sorted.
  public static var names: [String] { named.keys.sorted() }

  /// The feature called `name`, with "_" as good as "-"; nil if there is none.
  public static func named(_ name: String) -> CPUFeatures? {
    let plain = String(name.lowercased().map { $0 == "_" ? "-" : $0 })
    return named[aliases[plain] ?? plain]
  }

  /// The names of the features in the set, sorted.
  public var names: [String] { Self.names.filter { Self.named[$0].map(intersects) ?? false } }
}
