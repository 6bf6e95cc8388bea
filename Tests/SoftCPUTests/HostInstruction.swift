// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc

/// Executes single x87 and MMX instructions on the host's processor, in this process.
final class HostInstruction {
  /// The vendor of the host's processor is AMD: what the manuals leave open is done as AMD does it.
  static let hostIsAMD: Bool = {
    guard let file = fopen("/proc/cpuinfo", "r") else { return false }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 4096)
    while fgets(&line, 4096, file) != nil {
      if strstr(line, "AuthenticAMD") != nil { return true }
    }
    return false
  }()

  private let code: UnsafeMutableRawPointer
  private static let prologue: [UInt8] = [
    0x48, 0x0F, 0xAE, 0x0F,  // fxrstor64 [rdi]
    0x48, 0x8B, 0x42, 0x08,  // mov rax, [rdx + 8]
    0xFF, 0x32, 0x9D,  // push [rdx]; popf
  ]
  private static let epilogue: [UInt8] = [
    0x9C, 0x8F, 0x02,  // pushf; pop [rdx]
    0x48, 0x89, 0x42, 0x08,  // mov [rdx + 8], rax
    0xDD, 0x31, 0xDB, 0xE3, 0xC3,  // fnsave [rcx]; fninit; ret
  ]

  init?() {
    guard let page = mmap(nil, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      page != MAP_FAILED
    else { return nil }
    code = page
  }

  deinit { munmap(code, 4096) }

  /// Where the instruction is.
  var address: UInt64 { UInt64(UInt(bitPattern: code)) + UInt64(Self.prologue.count) }

  /// Executes `instruction`, whose memory operand, if it has one, is at [RSI].
  /// - Parameters:
  ///   - image: the FXSAVE image of the state before.
  ///   - registers: RFLAGS and RAX, before and after.
  ///   - saved: the FNSAVE image of the state after.
  func execute(
    _ instruction: [UInt8], image: UnsafeMutableRawPointer, memory: UnsafeMutableRawPointer,
    registers: UnsafeMutableRawPointer, saved: UnsafeMutableRawPointer
  ) {
    let bytes = Self.prologue + instruction + Self.epilogue
    for (index, byte) in bytes.enumerated() { code.storeBytes(of: byte, toByteOffset: index, as: UInt8.self) }
    typealias Function =
      @convention(c) (
        UnsafeMutableRawPointer, UnsafeMutableRawPointer, UnsafeMutableRawPointer, UnsafeMutableRawPointer
      ) -> Void
    unsafeBitCast(code, to: Function.self)(image, memory, registers, saved)
  }
}
