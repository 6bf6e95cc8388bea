// SPDX-License-Identifier: GPL-2.0-or-later

/// A processor a guest can be shown.
public struct CPUModel: Sendable {
  /// As in `-cpu NAME`.
  public let name: String
  /// A line for people.
  public let summary: String
  /// What identifies it; nil if it is whatever the host is.
  public let identity: Identity?

  /// A processor of its own, the same on every host.
  public struct Identity: Sendable {
    /// Family, model and stepping as leaf 1 EAX encodes them.
    public let signature: UInt32
    /// The highest basic and extended leaves.
    public let highestLeaf: UInt32
    public let highestExtendedLeaf: UInt32
    /// The brand string of leaves 0x80000002 … 4.
    public let brand: String
    /// The features it has where the host has them.
    public let features: CPUFeatures
  }

  /// All models, the default first.
  public static let all = [max, host, qemu64, kvm64]

  /// The model called `name`.
  public static func named(_ name: String) -> CPUModel? { all.first { $0.name == name } }

  /// All the engine can do.
  public static let max = CPUModel(
    name: "max", summary: "every feature the host and the engine have", identity: nil)
  /// The host's processor.
  public static let host = CPUModel(name: "host", summary: "the host's processor as it is", identity: nil)
  /// QEMU's 64-bit baseline.
  public static let qemu64 = CPUModel(
    name: "qemu64", summary: "a 64-bit baseline that every host has",
    identity: Identity(
      signature: signature(family: 15, model: 107, stepping: 1), highestLeaf: 0xD,
      highestExtendedLeaf: 0x8000_000A, brand: "Martlet virtual CPU (qemu64)",
      features: CPUFeatures([
        .leaf1EDX: pentiumPro | mtrrAndCaches, .leaf1ECX: 0x8000_2001,  // PNI, CX16, hypervisor
        .extended1EDX: longMode, .extended1ECX: 0x0000_0001,  // LAHF/SAHF
        .paravirtualEAX: paravirtual,
      ])))
  /// The common denominator of the processors with hardware virtualization.
  public static let kvm64 = CPUModel(
    name: "kvm64", summary: "the common denominator of processors with virtualization",
    identity: Identity(
      signature: signature(family: 15, model: 6, stepping: 1), highestLeaf: 0xD,
      highestExtendedLeaf: 0x8000_0008, brand: "Martlet virtual CPU (kvm64)",
      features: CPUFeatures([
        .leaf1EDX: pentiumPro | mtrrAndCaches | 1 << 1, .leaf1ECX: 0x8000_2001, .extended1EDX: longMode,
        .paravirtualEAX: paravirtual,
      ])))

  /// FPU, DE, PSE, TSC, MSR, PAE, MCE, CX8, APIC, SEP, PGE, CMOV, PAT, MMX, FXSR, SSE, SSE2.
  private static let pentiumPro: UInt32 = 0x0781_ABFD
  /// MTRR, MCA, PSE36, CLFLUSH.
  private static let mtrrAndCaches: UInt32 = 1 << 12 | 1 << 14 | 1 << 17 | 1 << 19
  /// SYSCALL, NX, LM.
  private static let longMode: UInt32 = 1 << 11 | 1 << 20 | 1 << 29
  /// What Linux guests make use of under KVM whatever the processor.
  private static let paravirtual: UInt32 = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 24

  /// Leaf 1 EAX for a family, model and stepping (SDM volume 2, CPUID, figure 3-6).
  private static func signature(family: UInt32, model: UInt32, stepping: UInt32) -> UInt32 {
    let (base, extended) = family > 15 ? (15, family - 15) : (family, 0)
    return extended << 20 | (model >> 4) << 16 | base << 8 | (model & 15) << 4 | stepping
  }
}
