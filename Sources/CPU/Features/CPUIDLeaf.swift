// SPDX-License-Identifier: GPL-2.0-or-later

/// The four registers of CPUID's answer to one function and index.
public struct CPUIDLeaf: Equatable, Sendable {
  public var eax: UInt32
  public var ebx: UInt32
  public var ecx: UInt32
  public var edx: UInt32

  /// An answer.
  public init(eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0, edx: UInt32 = 0) {
    (self.eax, self.ebx, self.ecx, self.edx) = (eax, ebx, ecx, edx)
  }

  /// The brand string's leaves 0x80000002 … 4 (SDM volume 2, CPUID): at most 47 characters, and a zero.
  public static func brand(_ brand: String) -> [CPUIDLeaf] {
    var text = Array(brand.utf8.prefix(47))
    text += Array(repeating: 0, count: 48 - text.count)
    func word(_ place: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(text[place * 4 + $1]) << UInt32($1 * 8) }
    }
    return (0..<3).map { leaf in
      CPUIDLeaf(
        eax: word(leaf * 4), ebx: word(leaf * 4 + 1), ecx: word(leaf * 4 + 2), edx: word(leaf * 4 + 3))
    }
  }

  /// Leaf 2: 32 KiB L1 caches, 4 MiB L2 (SDM volume 2, CPUID, table 3-12).
  public static let cacheDescriptors = CPUIDLeaf(eax: 1, edx: 0x002C_307D)

  /// Leaf 4: the same caches, for one logical processor each until ``TopologyLeaves/place(cache:)``.
  public static let caches = [
    CPUIDLeaf(eax: 0x121, ebx: 0x01C0_003F, ecx: 0x3F, edx: 1),
    CPUIDLeaf(eax: 0x122, ebx: 0x01C0_003F, ecx: 0x3F, edx: 1),
    CPUIDLeaf(eax: 0x143, ebx: 0x03C0_003F, ecx: 0xFFF, edx: 1),
  ]
}
