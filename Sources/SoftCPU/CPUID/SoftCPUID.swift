// SPDX-License-Identifier: GPL-2.0-or-later

import CPU
import OptionSyntax

/// The four registers of an answer.
struct CPUIDLeaf: Equatable {
  var eax: UInt32 = 0
  var ebx: UInt32 = 0
  var ecx: UInt32 = 0
  var edx: UInt32 = 0
}

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
    guard let model = CPUModel.named(request.model) else {
      throw EngineError(
        "unknown CPU model '\(request.model)'\(didYouMean(request.model, in: CPUModel.all.map(\.name))); "
          + "known: \(CPUModel.all.map(\.name).joined(separator: ", "))")
    }
    let available = Self.implemented
    var features = model.identity.map { $0.features.intersection(available) } ?? available
    features[.leaf1ECX] |= 1 << 21
    var warnings: [String] = []
    for name in request.added {
      let wanted = try Self.feature(name)
      if !wanted.intersects(available) {
        warnings.append(
          "the soft engine does not implement the CPU feature '\(name)': the guest goes without it")
      }
      features = features.union(wanted.intersection(available))
    }
    for name in request.removed { features = features.subtracting(try Self.feature(name)) }
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
    self.warnings = warnings
    // Family 6, model 60 (an Intel of 2013) unless the model says.
    signature = model.identity?.signature ?? 0x0003_06C3
    highest = 0x16
    highestExtended = 0x8000_0008
    brand = model.identity?.brand ?? "Martlet virtual CPU"
    describe(topology, index)
  }

  private static func feature(_ name: String) throws(EngineError) -> CPUFeatures {
    guard let feature = CPUFeatures.named(name) else {
      throw EngineError("unknown CPU feature '\(name)'\(didYouMean(name, in: CPUFeatures.names))")
    }
    return feature
  }

  private mutating func set(
    _ function: UInt32, _ index: UInt32 = 0, eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0,
    edx: UInt32 = 0
  ) {
    leaves[UInt64(function) << 32 | UInt64(index)] = CPUIDLeaf(eax: eax, ebx: ebx, ecx: ecx, edx: edx)
  }

  /// The frequency of the time stamp counter and the local APIC's timer: a tick is a nanosecond.
  static let timeStampFrequency: UInt32 = 1_000_000_000

  private mutating func describe(_ topology: CPUTopology, _ index: Int) {
    let apicID = topology.apicID(of: index)
    let perPackage = UInt32(clamping: topology.cores * topology.threads)
    let packageBits = UInt32(topology.threadBits + topology.coreBits)
    let vendor: (UInt32, UInt32, UInt32) = (0x756E_6547, 0x6C65_746E, 0x4965_6E69)  // GenuineIntel
    set(0, eax: highest, ebx: vendor.0, ecx: vendor.1, edx: vendor.2)
    let logical = min(1 << min(packageBits, 7), 255) as UInt32
    set(
      1, eax: signature, ebx: apicID << 24 | (perPackage > 1 ? logical : 1) << 16 | 8 << 8,
      ecx: features[.leaf1ECX],
      edx: features[.leaf1EDX] | (perPackage > 1 ? 1 << 28 : 0))
    // 32 KiB L1 caches, 4 MiB L2 (SDM volume 2, CPUID, table 3-12).
    set(2, eax: 1, edx: 0x002C_307D)
    let cores = (1 as UInt32) << UInt32(min(topology.coreBits, 6)) - 1
    let threads = (1 as UInt32) << UInt32(min(topology.threadBits, 12)) - 1
    set(4, 0, eax: 0x121 | threads << 14 | cores << 26, ebx: 0x01C0_003F, ecx: 0x3F, edx: 1)
    set(4, 1, eax: 0x122 | threads << 14 | cores << 26, ebx: 0x01C0_003F, ecx: 0x3F, edx: 1)
    set(4, 2, eax: 0x143 | threads << 14 | cores << 26, ebx: 0x03C0_003F, ecx: 0xFFF, edx: 1)
    set(6, eax: features[.leaf6EAX])
    set(7, 0, ebx: features[.leaf7EBX], ecx: features[.leaf7ECX], edx: features[.leaf7EDX])
    set(0xB, 0, eax: UInt32(topology.threadBits), ebx: UInt32(topology.threads), ecx: 1 << 8, edx: apicID)
    set(0xB, 1, eax: packageBits, ebx: perPackage, ecx: 2 << 8 | 1, edx: apicID)
    set(0xB, 2, ecx: 2, edx: apicID)
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
    var text = Array(brand.utf8.prefix(47))
    text += Array(repeating: 0, count: 48 - text.count)
    func word(_ place: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(text[place * 4 + $1]) << UInt32($1 * 8) }
    }
    for leaf in 0..<3 {
      set(
        0x8000_0002 + UInt32(leaf), eax: word(leaf * 4), ebx: word(leaf * 4 + 1), ecx: word(leaf * 4 + 2),
        edx: word(leaf * 4 + 3))
    }
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
