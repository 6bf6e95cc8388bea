// SPDX-License-Identifier: GPL-2.0-or-later

/// What CPUID's leaves 1, 4 and 0xB tell of the place of a virtual CPU in its topology (SDM volume 2, CPUID; volume 3,
/// section 9.9).
public struct TopologyLeaves: Sendable {
  public let topology: CPUTopology
  /// The initial APIC ID.
  public let apicID: UInt32
  /// Logical processors in a package.
  public let perPackage: UInt32
  /// Bits of the APIC ID that number them.
  public let packageBits: Int

  /// The place of the virtual CPU with an index.
  public init(_ topology: CPUTopology, index: Int) {
    self.topology = topology
    apicID = topology.apicID(of: index)
    perPackage = UInt32(clamping: topology.cores * topology.threads)
    packageBits = topology.threadBits + topology.coreBits
  }

  /// Leaf 1: the APIC ID and, if HTT says that it is valid, the count of logical processors.
  public func place(leaf1 leaf: inout CPUIDLeaf) {
    let logical = min(1 << UInt32(min(packageBits, 7)), 255) as UInt32
    leaf.ebx = leaf.ebx & 0xFF00 | (perPackage > 1 ? logical << 16 : 1 << 16) | apicID << 24
    leaf.edx = perPackage > 1 ? leaf.edx | 1 << 28 : leaf.edx & ~(1 << 28)
  }

  /// One of leaf 4: L1 and L2 are a core's, the rest a package's.
  public func place(cache leaf: inout CPUIDLeaf) {
    guard leaf.eax & 0x1F != 0 else { return }
    let sharing = leaf.eax >> 5 & 7 < 3 ? topology.threadBits : packageBits
    let cores = (1 as UInt32) << UInt32(min(topology.coreBits, 6)) - 1
    leaf.eax = leaf.eax & 0x3FFF | ((1 as UInt32) << UInt32(min(sharing, 12)) - 1) << 14 | cores << 26
  }

  /// Leaf 0xB by index: threads in a core, logical processors in a package, no more.
  public var extended: [CPUIDLeaf] {
    [
      CPUIDLeaf(
        eax: UInt32(topology.threadBits), ebx: UInt32(topology.threads), ecx: 1 << 8, edx: apicID),
      CPUIDLeaf(eax: UInt32(packageBits), ebx: perPackage, ecx: 2 << 8 | 1, edx: apicID),
      CPUIDLeaf(ecx: 2, edx: apicID),
    ]
  }
}
