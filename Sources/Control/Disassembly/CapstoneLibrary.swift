// SPDX-License-Identifier: GPL-2.0-or-later

import DynamicLibrary
import Glibc

/// The library Capstone 4, loaded when somebody first wants to see an instruction: 6 MB of tables for one command
/// would otherwise cost every start.
///
/// Names, numbers and the layout of `cs_insn` are those of <capstone/capstone.h> 4.0; the library's ABI number, which
/// is asked for by its file name, stands for them.
struct CapstoneLibrary: Sendable {
  private typealias Open = @convention(c) (Int32, Int32, UnsafeMutablePointer<Int>) -> Int32
  private typealias Close = @convention(c) (UnsafeMutablePointer<Int>) -> Int32
  private typealias SetOption = @convention(c) (Int, Int32, Int) -> Int32
  private typealias Disassemble =
    @convention(c) (
      Int, UnsafePointer<UInt8>, Int, UInt64, Int, UnsafeMutablePointer<UnsafeMutableRawPointer?>
    ) -> Int
  private typealias Free = @convention(c) (UnsafeMutableRawPointer?, Int) -> Void

  /// The library; nil if it is not installed.
  static let shared = CapstoneLibrary()

  private let open: Open
  private let close: Close
  private let setOption: SetOption
  private let disassemble: Disassemble
  private let free: Free

  private init?() {
    do {
      let library = try DynamicLibrary("libcapstone.so.4")
      open = try library.function("cs_open")
      close = try library.function("cs_close")
      setOption = try library.function("cs_option")
      disassemble = try library.function("cs_disasm")
      free = try library.function("cs_free")
    } catch {
      return nil
    }
  }

  private static let x86: Int32 = 3
  private static let syntaxOption: Int32 = 1
  private static let attSyntax = 2

  /// struct cs_insn.
  private static let (sizeOffset, nameOffset, operandsOffset) = (16, 34, 66)
  private static let (nameCapacity, operandsCapacity) = (32, 160)

  /// The instruction at the start of `bytes`; nil if there is none.
  func decode(_ bytes: [UInt8], at address: UInt64, bits: Int) -> Disassembler.Instruction? {
    // CS_MODE_16, 32 and 64 are bits 1, 2 and 3.
    let mode: Int32 = bits == 64 ? 8 : bits == 32 ? 4 : 2
    var handle = 0
    guard open(Self.x86, mode, &handle) == 0 else { return nil }
    defer { _ = close(&handle) }
    _ = setOption(handle, Self.syntaxOption, Self.attSyntax)
    var found: UnsafeMutableRawPointer?
    let count = bytes.withUnsafeBufferPointer { buffer in
      buffer.baseAddress.map { disassemble(handle, $0, buffer.count, address, 1, &found) } ?? 0
    }
    guard count == 1, let found else { return nil }
    defer { free(found, count) }
    let size = Int(found.load(fromByteOffset: Self.sizeOffset, as: UInt16.self))
    guard size > 0, size <= bytes.count else { return nil }
    return Disassembler.Instruction(
      byteCount: size, name: Self.text(found + Self.nameOffset, Self.nameCapacity),
      operands: Self.text(found + Self.operandsOffset, Self.operandsCapacity))
  }

  private static func text(_ bytes: UnsafeMutableRawPointer, _ capacity: Int) -> String {
    String(decoding: UnsafeRawBufferPointer(start: bytes, count: capacity).prefix { $0 != 0 }, as: UTF8.self)
  }
}
