// SPDX-License-Identifier: GPL-2.0-or-later

import CKVM
import CPU
import Testing

@testable import KVM

/// What the guest's CPUID answers, on made-up hosts.
@Suite struct CPUIDTests {
  private static func intelHost() -> CPUIDTable {
    var table = CPUIDTable()
    table.set(0, eax: 0xD, ebx: 0x756E_6547, ecx: 0x6C65_746E, edx: 0x4965_6E69)  // GenuineIntel
    table.set(1, eax: 0x000906EA, ebx: 0x0510_0800, ecx: 0x7EFA_FBFF, edx: 0x1FCB_FBFF)
    table.set(4, index: 0, eax: 0x1C00_4121, ebx: 0x01C0_003F, ecx: 0x3F)
    table.set(4, index: 1, eax: 0x1C00_4143, ebx: 0x00C0_003F, ecx: 0x3FF)
    table.set(4, index: 2, eax: 0x1C03_C163, ebx: 0x03C0_003F, ecx: 0x2FFF)
    table.set(4, index: 3)
    table.set(7, index: 0, ebx: 0x029C_67AF)
    table.set(0xB, index: 0, eax: 1, ebx: 2, ecx: 0x100, edx: 5)
    table.set(0xD, index: 0, eax: 7, ebx: 0x340, ecx: 0x340)
    table.set(0xD, index: 1, eax: 0xF)
    table.set(0xD, index: 2, eax: 0x100, ebx: 0x240)
    table.set(0x4000_0000, eax: 0x4000_0001)
    table.set(0x4000_0001, eax: 0x0100_7EFB)
    table.set(0x8000_0000, eax: 0x8000_0008)
    table.set(0x8000_0001, ecx: 0x121, edx: 0x2C10_0800)
    table.set(0x8000_0007, edx: 0x100)
    table.set(0x8000_0008, eax: 0x3027)
    return table
  }

  private static func amdHost() -> CPUIDTable {
    var table = CPUIDTable()
    table.set(0, eax: 0xD, ebx: 0x6874_7541, ecx: 0x444D_4163, edx: 0x6974_6E65)  // AuthenticAMD
    table.set(1, eax: 0x00A0_0F11, ebx: 0x0102_0800, ecx: 0x7ED8_320B, edx: 0x178B_FBFF)
    table.set(7, index: 0, ebx: 0x219C_97A9)
    table.set(0x8000_0000, eax: 0x8000_001E)
    table.set(0x8000_0001, eax: 0x00A0_0F11, ecx: 0x0040_0393, edx: 0x2FD3_FBFF)
    table.set(0x8000_0008, eax: 0x3030)
    table.set(0x8000_001D, index: 0, eax: 0x121, ebx: 0x01C0_003F, ecx: 0x3F)
    table.set(0x8000_001D, index: 3, eax: 0x4163, ebx: 0x03C0_003F, ecx: 0x7FFF)
    table.set(0x8000_001E)
    return table
  }

  private func table(
    _ request: CPUModelRequest, _ topology: CPUTopology = CPUTopology(), on host: CPUIDTable, cpu: Int = 0
  ) throws -> CPUIDTable {
    try CPUIDTable(builder(request, topology, on: host).entries(forCPU: cpu))
  }

  private func builder(
    _ request: CPUModelRequest, _ topology: CPUTopology = CPUTopology(), on host: CPUIDTable
  ) throws -> CPUIDBuilder {
    try CPUIDBuilder(request, topology: topology, supported: host, hasDeadlineTimer: true)
  }

  @Test func theHostIsShownAsAGuest() throws {
    let table = try table(CPUModelRequest(model: "host"), on: Self.intelHost())
    let leaf = try #require(table[1, 0])
    #expect(leaf.eax == 0x000906EA)
    #expect(leaf.ecx >> 31 == 1, "hypervisor")
    #expect(leaf.ecx >> 24 & 1 == 1, "TSC deadline")
    #expect(leaf.ecx >> 21 & 1 == 1, "x2APIC")
    #expect(leaf.ecx >> 27 & 1 == 0, "OSXSAVE follows CR4")
    #expect(leaf.ebx >> 24 == 0, "not the host's APIC ID")
    #expect(table[0x4000_0000, 0]?.ebx == 0x4B4D_564B)
    #expect(table[.paravirtualEAX] == 0x0100_7EFB)
    #expect(table[.extended7EDX] == 0, "no invariant TSC unless asked for")
    #expect(try self.table(CPUModelRequest(added: ["invtsc"]), on: Self.intelHost())[.extended7EDX] == 0x100)
  }

  @Test func aBaselineIsTheSameOnEveryHost() throws {
    for model in ["qemu64", "kvm64"] {
      let (intel, amd) = (
        try table(CPUModelRequest(model: model), on: Self.intelHost()),
        try table(CPUModelRequest(model: model), on: Self.amdHost())
      )
      #expect(intel[1, 0]?.eax == amd[1, 0]?.eax)
      for word in [CPUIDWord.leaf1EDX, .leaf1ECX, .leaf7EBX] {
        #expect(intel[word] == amd[word], "\(model) \(word)")
      }
      #expect(intel[.leaf7EBX] == 0)
      #expect(intel[.leaf1ECX] & (1 << 28 | 1 << 26) == 0, "neither AVX nor XSAVE")
      #expect(intel[0xD, 0]?.eax == 0)
      #expect(intel.vendor == "GenuineIntel")
      #expect(amd.vendor == "AuthenticAMD")
      // AMD repeats leaf 1's bits.
      #expect(amd[.extended1EDX] & 0x0183_F3FF == amd[.leaf1EDX] & 0x0183_F3FF)
      #expect(intel[.extended1EDX] == 0x2010_0800)
    }
  }

  @Test func featuresAreAddedAndRemovedByName() throws {
    let host = Self.intelHost()
    let table = try table(
      CPUModelRequest(model: "qemu64", added: ["avx2", "sse4_1", "SSE4-2"], removed: ["nx", "hypervisor"]),
      on: host)
    #expect(table[.leaf7EBX] == 1 << 5)
    #expect(table[.leaf1ECX] >> 19 & 3 == 3)
    #expect(table[.extended1EDX] & 1 << 20 == 0)
    #expect(table[.leaf1ECX] >> 31 == 0)
    #expect(table[0x4000_0000, 0] == nil, "no paravirtual leaves without a hypervisor")
    // Without AVX there is no YMM state to save.
    let narrow = try self.table(CPUModelRequest(removed: ["avx"]), on: host)
    #expect(narrow[0xD, 0]?.eax == 3)
    #expect(narrow[0xD, 0]?.ecx == 0x240)
    #expect(narrow[0xD, 2] == nil)
    #expect(try self.table(CPUModelRequest(), on: host)[0xD, 0]?.ecx == 0x340)
  }

  @Test func whatTheHostLacksStaysAway() throws {
    let builder = try CPUIDBuilder(
      CPUModelRequest(added: ["avx512f"]), topology: CPUTopology(), supported: Self.intelHost(),
      hasDeadlineTimer: false)
    #expect(builder.warnings.count == 1)
    #expect(!builder.features.names.contains("avx512f"))
    #expect(!builder.features.names.contains("tsc-deadline"))
  }

  @Test func theTopologyIsTold() throws {
    // 2 packages of 3 cores of 2 threads: bits 0, 1…2, 3.
    let topology = CPUTopology(sockets: 2, cores: 3, threads: 2)
    #expect((0..<12).map { topology.apicID(of: $0) } == [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13])
    let intel = try table(CPUModelRequest(), topology, on: Self.intelHost(), cpu: 7)
    let leaf = try #require(intel[1, 0])
    #expect(leaf.ebx >> 24 == 9)
    #expect(leaf.ebx >> 16 & 0xFF == 8)
    #expect(leaf.edx >> 28 & 1 == 1)
    #expect(intel[0xB, 0].map { [$0.eax, $0.ebx, $0.ecx, $0.edx] } == [1, 2, 0x100, 9])
    #expect(intel[0xB, 1].map { [$0.eax, $0.ebx, $0.ecx, $0.edx] } == [3, 6, 0x201, 9])
    // L1: shared by 2 threads; L3: by the package; 4 core IDs.
    #expect(intel[4, 0].map { $0.eax >> 14 & 0xFFF } == 1)
    #expect(intel[4, 2].map { $0.eax >> 14 & 0xFFF } == 7)
    #expect(intel[4, 0].map { $0.eax >> 26 } == 3)
    #expect(intel[4, 3]?.eax == 0)

    let amd = try table(CPUModelRequest(), topology, on: Self.amdHost(), cpu: 11)
    #expect(amd[0x8000_0008, 0]?.ecx == 0x3005)
    #expect(amd[0x8000_001E, 0].map { [$0.eax, $0.ebx, $0.ecx] } == [13, 0x102, 1])
    #expect(amd[0x8000_001D, 0].map { $0.eax >> 14 } == 1)
    #expect(amd[0x8000_001D, 3].map { $0.eax >> 14 } == 5)
    #expect(amd[.extended1ECX] & 2 != 0, "CmpLegacy")

    let single = try table(CPUModelRequest(), on: Self.amdHost())
    #expect(single[1, 0].map { $0.edx >> 28 & 1 } == 0)
    #expect(single[0x8000_0008, 0]?.ecx == 0)
  }

  @Test func theBrandIsReadable() throws {
    let table = try table(CPUModelRequest(model: "kvm64"), on: Self.intelHost())
    var text: [UInt8] = []
    for leaf in UInt32(0x8000_0002)...0x8000_0004 {
      let entry = try #require(table[leaf, 0])
      for word in [entry.eax, entry.ebx, entry.ecx, entry.edx] {
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
          text.append(UInt8(truncatingIfNeeded: word >> shift))
        }
      }
    }
    #expect(String(decoding: text.prefix { $0 != 0 }, as: UTF8.self) == "Martlet virtual CPU (kvm64)")
    #expect(table.brand == "Martlet virtual CPU (kvm64)")
  }

  @Test func theFirmwareLearnsTheProcessor() throws {
    let named = try builder(CPUModelRequest(model: "kvm64"), on: Self.intelHost()).processor
    #expect(
      named.signature == 0xF61 && named.features & 1 == 1 && named.brand == "Martlet virtual CPU (kvm64)")
    var host = Self.intelHost()
    host.setBrand("   A processor  ")
    let processor = try builder(CPUModelRequest(), on: host).processor
    #expect(processor.signature == 0x000906EA && processor.brand == "A processor")
    // A host without a brand string.
    #expect(try builder(CPUModelRequest(), on: Self.intelHost()).processor.brand == "")
  }
}
