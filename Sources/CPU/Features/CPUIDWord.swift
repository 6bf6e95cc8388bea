// SPDX-License-Identifier: GPL-2.0-or-later

/// The CPUID registers whose bits are features (SDM volume 2, CPUID; AMD APM volume 3, appendix E; Linux,
/// Documentation/virt/kvm/x86/cpuid.rst).
public enum CPUIDWord: Int, CaseIterable, Sendable {
  case leaf1EDX
  case leaf1ECX
  case leaf6EAX
  case leaf7EBX
  case leaf7ECX
  case leaf7EDX
  case leaf7Subleaf1EAX
  case leafDSubleaf1EAX
  case extended1EDX
  case extended1ECX
  case extended7EDX
  case extended8EBX
  case extendedAEDX
  case extended21EAX
  case paravirtualEAX

  /// One of the four registers CPUID answers in.
  public enum Register: Int, Sendable { case eax, ebx, ecx, edx }

  /// EAX and ECX of the query, and the register of the answer.
  public var location: (function: UInt32, index: UInt32, register: Register) {
    switch self {
    case .leaf1EDX: (1, 0, .edx)
    case .leaf1ECX: (1, 0, .ecx)
    case .leaf6EAX: (6, 0, .eax)
    case .leaf7EBX: (7, 0, .ebx)
    case .leaf7ECX: (7, 0, .ecx)
    case .leaf7EDX: (7, 0, .edx)
    case .leaf7Subleaf1EAX: (7, 1, .eax)
    case .leafDSubleaf1EAX: (0xD, 1, .eax)
    case .extended1EDX: (0x8000_0001, 0, .edx)
    case .extended1ECX: (0x8000_0001, 0, .ecx)
    case .extended7EDX: (0x8000_0007, 0, .edx)
    case .extended8EBX: (0x8000_0008, 0, .ebx)
    case .extendedAEDX: (0x8000_000A, 0, .edx)
    case .extended21EAX: (0x8000_0021, 0, .eax)
    case .paravirtualEAX: (0x4000_0001, 0, .eax)
    }
  }

  /// The names of the bits, lowest first; "-" where a bit is no feature a person switches.
  var names: String {
    switch self {
    case .leaf1EDX:
      """
      fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov \
      pat pse36 pn clflush - ds acpi mmx fxsr sse sse2 ss ht tm ia64 pbe
      """
    case .leaf1ECX:
      """
      pni pclmulqdq dtes64 monitor ds-cpl vmx smx est tm2 ssse3 cid - fma cx16 xtpr pdcm \
      - pcid dca sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave - avx f16c rdrand hypervisor
      """
    case .leaf6EAX: "- - arat"
    case .leaf7EBX:
      """
      fsgsbase tsc-adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm - - mpx - \
      avx512f avx512dq rdseed adx smap avx512ifma pcommit clflushopt clwb intel-pt avx512pf avx512er \
      avx512cd sha-ni avx512bw avx512vl
      """
    case .leaf7ECX:
      """
      - avx512vbmi umip pku - waitpkg avx512vbmi2 - gfni vaes vpclmulqdq avx512vnni avx512bitalg - \
      avx512-vpopcntdq - la57 - - - - - rdpid - bus-lock-detect cldemote - movdiri movdir64b - sgxlc pks
      """
    case .leaf7EDX:
      """
      - - avx512-4vnniw avx512-4fmaps fsrm - - - avx512-vp2intersect - md-clear - - - serialize - \
      tsx-ldtrk - - arch-lbr - - amx-bf16 avx512-fp16 amx-tile amx-int8 spec-ctrl stibp flush-l1d \
      arch-capabilities core-capability ssbd
      """
    case .leaf7Subleaf1EAX:
      "- - - - avx-vnni avx512-bf16 - - - - fzrm fsrs fsrc - - - - - - - - amx-fp16 - avx-ifma"
    case .leafDSubleaf1EAX: "xsaveopt xsavec xgetbv1 xsaves xfd"
    case .extended1EDX:
      "- - - - - - - - - - - syscall - - - - - - - - nx - mmxext - - fxsr-opt pdpe1gb rdtscp - lm 3dnowext 3dnow"
    case .extended1ECX:
      """
      lahf-lm cmp-legacy svm extapic cr8legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt \
      - lwp fma4 tce - nodeid-msr - tbm topoext perfctr-core perfctr-nb
      """
    case .extended7EDX: "- - - - - - - - invtsc"
    case .extended8EBX:
      """
      clzero - xsaveerptr - - - - - - wbnoinvd - - ibpb - ibrs amd-stibp - stibp-always-on - - - - - - \
      amd-ssbd virt-ssbd amd-no-ssb - amd-psfd
      """
    case .extendedAEDX:
      """
      npt lbrv svm-lock nrip-save tsc-scale vmcb-clean flushbyasid decodeassists - - pause-filter - \
      pfthreshold avic - v-vmsave-vmload vgif
      """
    case .extended21EAX: "no-nested-data-bp - lfence-always-serializing - - - null-sel-clr-base - auto-ibrs"
    case .paravirtualEAX:
      """
      kvmclock kvm-nopiodelay kvm-mmu kvmclock kvm-asyncpf kvm-steal-time kvm-pv-eoi kvm-pv-unhalt - \
      kvm-pv-tlb-flush kvm-asyncpf-vmexit kvm-pv-ipi kvm-poll-control kvm-pv-sched-yield kvm-asyncpf-int \
      kvm-msi-ext-dest-id - - - - - - - - kvmclock-stable-bit
      """
    }
  }
}
