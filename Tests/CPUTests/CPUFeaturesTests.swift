// SPDX-License-Identifier: GPL-2.0-or-later

import Testing

@testable import CPU

@Suite struct CPUFeaturesTests {
  @Test func everyNameLeadsToItsBit() {
    for (name, word, bit) in [
      ("fpu", .leaf1EDX, 0), ("pbe", .leaf1EDX, 31), ("pni", .leaf1ECX, 0), ("hypervisor", .leaf1ECX, 31),
      ("arat", .leaf6EAX, 2), ("avx2", .leaf7EBX, 5), ("avx512vl", .leaf7EBX, 31), ("sha-ni", .leaf7EBX, 29),
      ("umip", .leaf7ECX, 2), ("la57", .leaf7ECX, 16), ("rdpid", .leaf7ECX, 22), ("pks", .leaf7ECX, 31),
      ("fsrm", .leaf7EDX, 4), ("md-clear", .leaf7EDX, 10), ("spec-ctrl", .leaf7EDX, 26),
      ("ssbd", .leaf7EDX, 31),
      ("avx-vnni", .leaf7Subleaf1EAX, 4), ("avx-ifma", .leaf7Subleaf1EAX, 23),
      ("xsaves", .leafDSubleaf1EAX, 3),
      ("syscall", .extended1EDX, 11), ("nx", .extended1EDX, 20), ("rdtscp", .extended1EDX, 27),
      ("lm", .extended1EDX, 29), ("3dnow", .extended1EDX, 31), ("svm", .extended1ECX, 2),
      ("topoext", .extended1ECX, 22), ("perfctr-core", .extended1ECX, 23), ("invtsc", .extended7EDX, 8),
      ("ibpb", .extended8EBX, 12), ("amd-ssbd", .extended8EBX, 24), ("npt", .extendedAEDX, 0),
      ("vgif", .extendedAEDX, 16), ("auto-ibrs", .extended21EAX, 8), ("kvm-pv-eoi", .paravirtualEAX, 6),
      ("kvmclock-stable-bit", .paravirtualEAX, 24),
    ] as [(String, CPUIDWord, Int)] {
      #expect(CPUFeatures.named(name) == CPUFeatures([word: 1 << UInt32(bit)]), "\(name)")
    }
    // Two generations of the same clock.
    #expect(CPUFeatures.named("kvmclock") == CPUFeatures([.paravirtualEAX: 1 << 0 | 1 << 3]))
  }

  @Test func spellingsAreForgiven() {
    #expect(CPUFeatures.named("sse4_1") == CPUFeatures.named("sse4.1"))
    #expect(CPUFeatures.named("LAHF_LM") == CPUFeatures.named("lahf-lm"))
    #expect(CPUFeatures.named("sse3") == CPUFeatures.named("pni"))
    #expect(CPUFeatures.named("nonsense") == nil)
    #expect(CPUFeatures.named("-") == nil)
  }

  @Test func noWordHasMoreThan32Names() {
    for word in CPUIDWord.allCases { #expect(word.names.split(separator: " ").count <= 32, "\(word)") }
  }

  @Test func setsAreCombined() throws {
    let (a, b) = (try #require(CPUFeatures.named("avx")), try #require(CPUFeatures.named("sse")))
    #expect(a.union(b).names == ["avx", "sse"])
    #expect(a.union(b).subtracting(a) == b)
    #expect(a.intersection(b).isEmpty)
    #expect(!a.intersects(b))
  }
}
