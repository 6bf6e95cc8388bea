// SPDX-License-Identifier: GPL-2.0-or-later

import CKVM
import CPU

/// What CPUID answers in the guest: what the model and the request want of what KVM supports, and for each
/// vCPU its place in the topology.
struct CPUIDBuilder {
  /// Wanted by name, and not to be had from this host; a sentence each.
  let warnings: [String]
  /// The features the guest sees.
  let features: CPUFeatures
  private let model: CPUModel
  private let topology: CPUTopology
  private let supported: CPUIDTable

  /// Vendors whose leaves are AMD's.
  private let isAMD: Bool

  /// - Parameters:
  ///   - supported: What KVM_GET_SUPPORTED_CPUID told.
  ///   - hasDeadlineTimer: Whether KVM's local APIC has the TSC deadline mode, which that does not tell.
  init(
    _ request: CPUModelRequest, topology: CPUTopology, supported: CPUIDTable, hasDeadlineTimer: Bool
  ) throws(EngineError) {
    let model = try request.namedModel()
    self.model = model
    self.topology = topology
    self.supported = supported
    isAMD = supported.vendor == "AuthenticAMD" || supported.vendor == "HygonGenuine"

    var available = CPUFeatures()
    for word in CPUIDWord.allCases { available[word] = supported[word] }
    available = available.union(CPUFeatures([.leaf1ECX: Self.hypervisor | Self.x2APIC]))
    if hasDeadlineTimer { available = available.union(CPUFeatures([.leaf1ECX: Self.deadlineTimer])) }
    // These follow the guest's own CR4.
    available = available.subtracting(CPUFeatures([.leaf1ECX: 1 << 27, .leaf7ECX: 1 << 4]))

    var features: CPUFeatures
    if let identity = model.identity {
      features = identity.features.intersection(available)
      features[.leaf1ECX] |= Self.x2APIC
    } else {
      // A constant TSC ties the guest to hosts with the same frequency: only on request, as in QEMU.
      features = available.subtracting(CPUFeatures([.extended7EDX: 1 << 8]))
    }
    let (wanted, missing) = try request.apply(to: features, available: available)
    self.features = wanted
    warnings = missing.map {
      "the host or KVM does not support the CPU feature '\($0)': the guest goes without it"
    }
  }

  /// Leaf 1 ECX bits.
  private static let x2APIC: UInt32 = 1 << 21
  private static let deadlineTimer: UInt32 = 1 << 24
  private static let hypervisor: UInt32 = 1 << 31

  // MARK: Leaves

  /// The answers for the vCPU with that index, as KVM_SET_CPUID2 takes them.
  func entries(forCPU index: Int) -> [kvm_cpuid_entry2] {
    var table = model.identity.map(namedTable) ?? hostTable
    for word in CPUIDWord.allCases where table.contains(word) { table[word] = features[word] }
    if isAMD {
      // AMD's leaf 0x80000001 repeats these bits of leaf 1 (APM volume 3, appendix E.4.2).
      table[.extended1EDX] = table[.extended1EDX] & ~0x0183_F3FF | features[.leaf1EDX] & 0x0183_F3FF
    }
    trimExtendedStates(&table)
    placeInTopology(&table, index: index)
    addParavirtualLeaves(&table)
    return table.entries
  }

  /// The signature in leaf 1 EAX, which EDX shows after reset.
  var signature: UInt32 { model.identity?.signature ?? supported[1, 0]?.eax ?? 0 }

  /// The first vCPU, as its leaves tell it.
  var processor: ProcessorIdentity {
    let table = CPUIDTable(entries(forCPU: 0))
    var processor = ProcessorIdentity()
    processor.signature = signature
    processor.features = table[1, 0]?.edx ?? 0
    processor.brand = table.brand
    return processor
  }

  /// All that KVM supports.
  private var hostTable: CPUIDTable {
    var table = supported
    // Built anew below, or not for guests: SGX, processor trace, the topology of other hosts.
    table.removeAll {
      (0x4000_0000..<0x4000_0100).contains($0.function) || [0xB, 0x12, 0x14, 0x1F].contains($0.function)
    }
    return table
  }

  /// A processor of the given identity with the host's vendor, since KVM executes some instructions (SYSENTER
  /// in long mode) as the host's vendor does.
  private func namedTable(_ identity: CPUModel.Identity) -> CPUIDTable {
    var table = CPUIDTable()
    let vendor = supported[0, 0] ?? kvm_cpuid_entry2()
    table.set(0, eax: identity.highestLeaf, ebx: vendor.ebx, ecx: vendor.ecx, edx: vendor.edx)
    // CLFLUSH lines of 64 bytes.
    table.set(1, eax: identity.signature, ebx: 8 << 8)
    if !isAMD {
      table.set(2, .cacheDescriptors)
      for (number, cache) in CPUIDLeaf.caches.enumerated() { table.set(4, index: UInt32(number), cache) }
      table.set(4, index: 3)
    }
    table.set(6)
    table.set(7, index: 0)
    table.set(0xD, index: 0)
    table.set(0xD, index: 1)
    table.set(
      0x8000_0000, eax: identity.highestExtendedLeaf, ebx: vendor.ebx, ecx: vendor.ecx, edx: vendor.edx)
    table.set(0x8000_0001, eax: identity.signature)
    table.setBrand(identity.brand)
    // 64 KiB L1 caches, 512 KiB L2 (APM volume 3, appendix E.4.4 and E.4.5).
    table.set(0x8000_0005, eax: 0x01FF_01FF, ebx: 0x01FF_01FF, ecx: 0x4002_0140, edx: 0x4002_0140)
    table.set(0x8000_0006, ebx: 0x4200_4200, ecx: 0x0200_8140)
    table.set(0x8000_0007)
    // 40 physical and 48 virtual address bits, if the host has as many.
    let host = supported[0x8000_0008, 0]?.eax ?? 0x3028
    table.set(0x8000_0008, eax: min(40, host & 0xFF) | 48 << 8)
    if identity.highestExtendedLeaf >= 0x8000_000A { table.set(0x8000_000A) }
    return table
  }

  /// Leaf 0xD tells the states XSAVE can keep: those of features the guest has (SDM volume 1, section 13.2).
  private func trimExtendedStates(_ table: inout CPUIDTable) {
    guard features[.leaf1ECX] & 1 << 26 != 0, let host = supported[0xD, 0] else {
      table.removeAll { $0.function == 0xD }
      table.set(0xD, index: 0)
      return
    }
    var states: UInt32 = 3
    for (name, bits) in [
      ("avx", 1 << 2), ("mpx", 3 << 3), ("avx512f", 7 << 5), ("pku", 1 << 9), ("amx-tile", 3 << 17),
    ]
      as [(String, UInt32)]
    where CPUFeatures.named(name).map(features.intersects) ?? false { states |= bits }
    states &= host.eax
    var size: UInt32 = 0x240
    table.removeAll { $0.function == 0xD && $0.index >= 2 }
    for bit in UInt32(2)..<32 where states >> bit & 1 != 0 {
      guard let entry = supported[0xD, bit] else { continue }
      table.insert(entry)
      size = max(size, entry.ebx &+ entry.eax)
    }
    table.set(0xD, index: 0, eax: states, ebx: size, ecx: size)
    if table[0xD, 1] == nil { table.set(0xD, index: 1) }
    table[.leafDSubleaf1EAX] = features[.leafDSubleaf1EAX]
  }

  private func placeInTopology(_ table: inout CPUIDTable, index: Int) {
    let place = TopologyLeaves(topology, index: index)
    let (apicID, perPackage, packageBits) = (place.apicID, place.perPackage, place.packageBits)
    table.changeLeaves(1) { place.place(leaf1: &$0) }
    table.changeLeaves(4) { place.place(cache: &$0) }
    table.changeAll(0x8000_001D) { leaf in
      guard leaf.eax & 0x1F != 0 else { return }
      let sharing = leaf.eax >> 5 & 7 < 3 ? UInt32(topology.threads) : perPackage
      leaf.eax = leaf.eax & 0x3FFF | ((sharing - 1) & 0xFFF) << 14
    }
    for (number, leaf) in place.extended.enumerated() { table.set(0xB, index: UInt32(number), leaf) }
    table.change(0) { leaf in leaf.eax = max(leaf.eax, 0xB) }
    table.change(0x8000_0008) { leaf in
      leaf.ecx = perPackage > 1 ? UInt32(packageBits) << 12 | (perPackage - 1) & 0xFF : 0
    }
    if isAMD {
      table.change(0x8000_0001) { leaf in
        // CmpLegacy: the logical processors of leaf 1 are cores.
        leaf.ecx = perPackage > 1 ? leaf.ecx | 1 << 1 : leaf.ecx & ~(1 << 1)
      }
      let core = apicID >> UInt32(topology.threadBits) & ((1 as UInt32) << UInt32(topology.coreBits) - 1)
      let package = apicID >> UInt32(packageBits)
      table.change(0x8000_001E) { leaf in
        (leaf.eax, leaf.ebx, leaf.ecx) = (apicID, core | (UInt32(topology.threads) - 1) << 8, package & 0xFF)
        leaf.edx = 0
      }
    }
  }

  /// "KVMKVMKVM": what Linux guests look for (Linux, Documentation/virt/kvm/x86/cpuid.rst).
  private func addParavirtualLeaves(_ table: inout CPUIDTable) {
    guard features[.leaf1ECX] & Self.hypervisor != 0 else { return }
    table.set(0x4000_0000, eax: 0x4000_0001, ebx: 0x4B4D_564B, ecx: 0x564B_4D56, edx: 0x4D)
    table.set(0x4000_0001, eax: features[.paravirtualEAX])
  }
}
