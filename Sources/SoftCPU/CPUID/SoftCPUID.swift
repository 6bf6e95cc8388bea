// SPDX-License-Identifier: GPL-2.0-or-later

import CPU

/// What CPUID answers on this engine: exactly what it implements, less what the model or the request leaves
/// out (SDM volume 2, CPUID).
struct SoftCPUID {
  /// Features asked for that this engine does not have, a sentence each.
  let warnings: [String]
  let features: CPUFeatures
  /// What the decoder takes.
  let instructions: InstructionSets
  /// The bits of CR4 and EFER that a guest may set.
  let controlRegister4: UInt64
  let extendedFeatures: UInt64
  /// Family, model and stepping.
  let signature: UInt32
  /// The brand string.
  let brand: String
  private var leaves: [UInt64: CPUIDLeaf] = [:]
  private let highest: UInt32
  private let highestExtended: UInt32

  /// All that is implemented.
  static let implemented = CPUFeatures([
    // FPU VME(no) DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFLUSH MMX FXSR SSE SSE2
    .leaf1EDX: 0x078B_FBFD,
    // SSE3 PCLMULQDQ SSSE3 CX16 SSE4.1 SSE4.2 x2APIC MOVBE POPCNT TSC-deadline AES XSAVE RDRAND hypervisor
    .leaf1ECX: 1 << 0 | 1 << 1 | 1 << 9 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 21 | 1 << 22 | 1 << 23 | 1 << 24
      | 1 << 25 | 1 << 26 | 1 << 30 | 1 << 31,
    .leaf6EAX: 1 << 2,
    // FSGSBASE TSC_ADJUST BMI1 SMEP BMI2 ERMS RDSEED ADX SMAP
    .leaf7EBX: 1 << 0 | 1 << 1 | 1 << 3 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 18 | 1 << 19 | 1 << 20,
    .leaf7ECX: 1 << 2,  // UMIP
    .leafDSubleaf1EAX: 1 << 0,  // XSAVEOPT
    .extended1EDX: 1 << 11 | 1 << 20 | 1 << 26 | 1 << 27 | 1 << 29,  // SYSCALL NX 1 GiB pages RDTSCP LM
    .extended1ECX: 1 << 0 | 1 << 5 | 1 << 8,  // LAHF, LZCNT, PREFETCHW
    .extended7EDX: 1 << 8,  // invariant TSC
  ])

  /// What is left for a request by name, and what the answers are for the vCPU with an index.
  init(_ request: CPUModelRequest, topology: CPUTopology, index: Int) throws(EngineError) {
    let model = try request.namedModel()
    let available = Self.implemented
    var features = model.identity.map { $0.features.intersection(available) } ?? available
    features[.leaf1ECX] |= 1 << 21
    let (wanted, missing) = try request.apply(to: features, available: available)
    features = wanted
    warnings = missing.map {
      "the soft engine does not implement the CPU feature '\($0)': the guest goes without it"
    }
    self.features = features
    instructions = InstructionSets(features)
    func bits(_ bits: UInt64, _ word: CPUIDWord, _ bit: UInt32) -> UInt64 {
      features[word] >> bit & 1 != 0 ? bits : 0
    }
    controlRegister4 =
      ControlRegister4.implemented & ~ControlRegister4.announced
      | bits(ControlRegister4.extendedStates, .leaf1ECX, 26) | bits(ControlRegister4.fsgsbase, .leaf7EBX, 0)
      | bits(ControlRegister4.supervisorExecutionPrevention, .leaf7EBX, 7)
      | bits(ControlRegister4.supervisorAccessPrevention, .leaf7EBX, 20)
      | bits(ControlRegister4.userModeInstructionPrevention, .leaf7ECX, 2)
    extendedFeatures =
      bits(ExtendedFeature.systemCall, .extended1EDX, 11) | bits(ExtendedFeature.noExecute, .extended1EDX, 20)
      | bits(ExtendedFeature.longModeEnable, .extended1EDX, 29)
    // Family 6, model 60 (an Intel of 2013) unless the model says.
    signature = model.identity?.signature ?? 0x0003_06C3
    highest = 0x16
    highestExtended = 0x8000_0008
    brand = model.identity?.brand ?? "Martlet virtual CPU"
    describe(topology, index)
  }

  private mutating func set(
    _ function: UInt32, _ index: UInt32 = 0, eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0,
    edx: UInt32 = 0
  ) {
    set(function, index, as: CPUIDLeaf(eax: eax, ebx: ebx, ecx: ecx, edx: edx))
  }

  private mutating func set(_ function: UInt32, _ index: UInt32 = 0, as leaf: CPUIDLeaf) {
    leaves[UInt64(function) << 32 | UInt64(index)] = leaf
  }

  /// The frequency of the time stamp counter and the local APIC's timer: a tick is a nanosecond.
  static let timeStampFrequency: UInt32 = 1_000_000_000

  private mutating func describe(_ topology: CPUTopology, _ index: Int) {
    let place = TopologyLeaves(topology, index: index)
    let vendor: (UInt32, UInt32, UInt32) = (0x756E_6547, 0x6C65_746E, 0x4965_6E69)  // GenuineIntel
    set(0, eax: highest, ebx: vendor.0, ecx: vendor.1, edx: vendor.2)
    var leaf1 = CPUIDLeaf(
      eax: signature, ebx: 8 << 8, ecx: features[.leaf1ECX], edx: features[.leaf1EDX])
    place.place(leaf1: &leaf1)
    set(1, as: leaf1)
    set(2, as: .cacheDescriptors)
    for (number, cache) in CPUIDLeaf.caches.enumerated() {
      var cache = cache
      place.place(cache: &cache)
      set(4, UInt32(number), as: cache)
    }
    set(6, eax: features[.leaf6EAX])
    set(7, 0, ebx: features[.leaf7EBX], ecx: features[.leaf7ECX], edx: features[.leaf7EDX])
    for (number, leaf) in place.extended.enumerated() { set(0xB, UInt32(number), as: leaf) }
    if features[.leaf1ECX] & 1 << 26 != 0 {
      set(0xD, 0, eax: 3, ebx: 576, ecx: 576)
      set(0xD, 1, eax: features[.leafDSubleaf1EAX])
    }
    // Crystal and processor frequency, so that a guest need not measure them.
    set(0x15, eax: 1, ebx: 1, ecx: Self.timeStampFrequency)
    set(0x16, eax: Self.timeStampFrequency / 1_000_000, ebx: Self.timeStampFrequency / 1_000_000, ecx: 100)
    set(0x4000_0000, eax: 0x4000_0000, ebx: 0x7472_614D, ecx: 0x5374_656C, edx: 0x2074_666F)  // MartletSoft
    set(0x8000_0000, eax: highestExtended)
    set(0x8000_0001, eax: 0, ecx: features[.extended1ECX], edx: features[.extended1EDX])
    for (number, leaf) in CPUIDLeaf.brand(brand).enumerated() { set(0x8000_0002 + UInt32(number), as: leaf) }
    set(0x8000_0006, ecx: 0x1000_8040)
    set(0x8000_0007, edx: features[.extended7EDX])
    set(0x8000_0008, eax: UInt32(PageEntry.addressBits) | 48 << 8)
  }

  /// The answer; a function beyond the highest is answered like the highest basic one.
  subscript(function: UInt32, index: UInt32) -> CPUIDLeaf {
    var function = function
    if function >> 28 == 8 {
      if function > highestExtended { function = highest }
    } else if function >> 28 == 4 {
      if function > 0x4000_0000 { function = highest }
    } else if function > highest {
      function = highest
    }
    let isIndexed = function == 4 || function == 7 || function == 0xB || function == 0xD
    return leaves[UInt64(function) << 32 | UInt64(isIndexed ? index : 0)] ?? CPUIDLeaf()
  }
}
