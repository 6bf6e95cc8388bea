// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// Executes single SSE instructions on the host's processor, in this process. None may fault.
final class HostVectorInstruction {
  /// What such an instruction reads and writes, as the code below addresses it.
  struct State {
    /// XMM0, XMM1, XMM2.
    var xmm = InlineArray<3, SIMD2<UInt64>>(repeating: SIMD2())
    /// The memory operand, at [RSI].
    var memory = SIMD2<UInt64>()
    var rflags: UInt64 = 0
    var rax: UInt64 = 0
    var rcx: UInt64 = 0
    var rdx: UInt64 = 0
    /// MM1, MM2.
    var mmx = InlineArray<2, UInt64>(repeating: 0)
    var mxcsr: UInt32 = 0x1F80
    /// MXCSR as a thread of the host has it.
    let hostMXCSR: UInt32 = 0x1F80
  }

  /// Whether the host's processor has all instructions of the tables.
  static let hostHasAll: Bool = {
    guard let file = fopen("/proc/cpuinfo", "r") else { return false }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 8192)
    while fgets(&line, 8192, file) != nil {
      if strncmp(line, "flags", 5) == 0 {
        let features = ["sse4_2", "aes", "pclmulqdq"]
        return features.allSatisfy { feature in strstr(line, feature) != nil }
      }
    }
    return false
  }()

  private let code: UnsafeMutableRawPointer
  private static let prologue: [UInt8] = [
    0x0F, 0xAE, 0x57, 0x70,  // ldmxcsr [rdi + 112]
    0x0F, 0x10, 0x07,  // movups xmm0, [rdi]
    0x0F, 0x10, 0x4F, 0x10,  // movups xmm1, [rdi + 16]
    0x0F, 0x10, 0x57, 0x20,  // movups xmm2, [rdi + 32]
    0x0F, 0x6F, 0x4F, 0x60,  // movq mm1, [rdi + 96]
    0x0F, 0x6F, 0x57, 0x68,  // movq mm2, [rdi + 104]
    0x48, 0x8D, 0x77, 0x30,  // lea rsi, [rdi + 48]
    0x48, 0x8B, 0x47, 0x48,  // mov rax, [rdi + 72]
    0x48, 0x8B, 0x4F, 0x50,  // mov rcx, [rdi + 80]
    0x48, 0x8B, 0x57, 0x58,  // mov rdx, [rdi + 88]
    0xFF, 0x77, 0x40, 0x9D,  // push [rdi + 64]; popf
  ]
  private static let epilogue: [UInt8] = [
    0x9C, 0x8F, 0x47, 0x40,  // pushf; pop [rdi + 64]
    0x0F, 0xAE, 0x5F, 0x70,  // stmxcsr [rdi + 112]
    0x0F, 0x11, 0x07,  // movups [rdi], xmm0
    0x0F, 0x11, 0x4F, 0x10,  // movups [rdi + 16], xmm1
    0x0F, 0x11, 0x57, 0x20,  // movups [rdi + 32], xmm2
    0x48, 0x89, 0x47, 0x48,  // mov [rdi + 72], rax
    0x48, 0x89, 0x4F, 0x50,  // mov [rdi + 80], rcx
    0x48, 0x89, 0x57, 0x58,  // mov [rdi + 88], rdx
    0x0F, 0x7F, 0x4F, 0x60,  // movq [rdi + 96], mm1
    0x0F, 0x7F, 0x57, 0x68,  // movq [rdi + 104], mm2
    0x0F, 0xAE, 0x57, 0x74,  // ldmxcsr [rdi + 116]
    0x0F, 0x77, 0xC3,  // emms; ret
  ]

  init?() {
    guard let page = mmap(nil, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      page != MAP_FAILED
    else { return nil }
    code = page
  }

  deinit { munmap(code, 4096) }

  /// Executes `instruction` on a state, which must be aligned as memory operands are.
  func execute(_ instruction: [UInt8], _ state: UnsafeMutablePointer<State>) {
    let bytes = Self.prologue + instruction + Self.epilogue
    for (index, byte) in bytes.enumerated() { code.storeBytes(of: byte, toByteOffset: index, as: UInt8.self) }
    typealias Function = @convention(c) (UnsafeMutableRawPointer) -> Void
    unsafeBitCast(code, to: Function.self)(UnsafeMutableRawPointer(state))
  }
}
