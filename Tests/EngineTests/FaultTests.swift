// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Testing

@testable import GuestSupport

/// Faults as the manuals say: which vector, with which error code, at which address, and what they leave as it was.
///
/// On KVM, too, but where it interprets only what its interpreter does as processors do.
@Suite(.enabled(if: GuestImage.assembler != nil, "needs nasm"))
struct FaultTests {
  /// What a guest notes of a fault.
  private struct Fault: Equatable, CustomStringConvertible {
    var vector: UInt32
    var code: UInt32
    /// CR2; nil if it does not matter.
    var address: UInt64?

    init(_ vector: UInt32, _ code: UInt32, _ address: UInt64? = nil) {
      (self.vector, self.code, self.address) = (vector, code, address)
    }

    static func page(_ code: UInt32, _ address: UInt64) -> Fault { Fault(14, code, address) }

    var description: String { "\(vector)(\(hex(UInt64(code)))) \(address.map { hex($0) } ?? "")" }
  }

  /// Compares the faults that a guest noted with what is expected; the numbers that are not named must not fault.
  private func expect(
    _ board: GuestBoard, stride: Int, count: Int, _ expected: [Int: Fault],
    _ location: SourceLocation = #_sourceLocation
  ) {
    for number in 0..<count {
      let place = 0x1200 + number * stride
      let vector = board.dword(place)
      var found: Fault?
      if vector != ~0 {
        found = Fault(vector, board.dword(place + 4))
        if vector == 14, stride == 16 { found?.address = board.qword(place + 8) }
      }
      #expect(found == expected[number], "number \(number)", sourceLocation: location)
    }
  }

  @Test(arguments: GuestEngine.precise) func fourLevelPaging(_ engine: GuestEngine) throws {
    let board = try GuestBoard("paging-long", on: engine, ramByteCount: 4 << 20)
    let exit = try board.run()
    #expect(board.verdict == 0, "\(exit)")
    func page(_ number: UInt64) -> UInt64 { 0x200000 + number * 0x1000 }
    var expected: [Int: Fault] = [
      // Not there: read, write, fetch, and the second half of an operand.
      0: .page(0, page(0) + 0x123), 1: .page(2, page(0) + 0xFF0), 2: .page(0x10, page(0) + 0x10),
      3: .page(0, page(0)),
      // CR0.WP.
      4: .page(3, page(1) + 8),
      // No-execute, and what it is without EFER.NXE.
      7: .page(0x11, page(4)), 8: .page(9, page(4)), 9: .page(9, page(4)),
      // Reserved bits of an entry for 4 KiB, 2 MiB, 1 GiB and 512 GiB.
      10: .page(9, page(5) + 4), 11: .page(0xB, page(5) + 4), 12: .page(0x19, page(5)),
      13: .page(9, 0x600000), 14: .page(9, 0x8000_0000), 15: .page(9, 1 << 39),
      16: Fault(13, 0), 17: Fault(13, 0), 18: Fault(12, 0), 19: Fault(12, 0), 20: Fault(13, 0),
      // Ring 3 and the supervisor's page.
      24: .page(5, page(8)), 25: .page(7, page(8)), 26: .page(0x15, page(8)),
      // Its own pages: read-only, not for execution; what is not there.
      29: .page(7, page(3)), 30: .page(0x15, page(7)),
      31: .page(4, page(0)), 32: .page(6, page(0)), 33: .page(0x14, page(0)), 35: .page(0xD, page(5)),
      36: Fault(13, 0), 37: Fault(13, 0),
    ]
    // On a host with 52 bits of physical address, an entry for 4 KiB has no reserved bit.
    if engine == .kvm, board.dword(0x1200 + 10 * 16) == ~0 {
      for number in [10, 11, 12, 35] { expected[number] = nil }
    }
    expect(board, stride: 16, count: 40, expected)
    // Accessed, then dirty: 4 KiB, 2 MiB, 1 GiB; a directory's entry only accessed; one that faulted
    // neither.
    #expect(board.dword(0x1000) == 0x28023 && board.dword(0x1004) == 0x28063)
    #expect(board.dword(0x1008) == 0x14027)
    #expect(board.dword(0x100C) == 0xA3 && board.dword(0x1010) == 0xE3)
    #expect(board.dword(0x1014) == 0xA3 && board.dword(0x1018) == 0xE3)
    #expect(board.dword(0x101C) == 0x25003)
    #expect(
      board.dword(0x21008) == 0x600D && board.dword(0x30000) == 0x2222 && board.dword(0x30004) == 0x3333)
    // After MOV to CR3, INVLPG, INVLPG of a global page, CR4.PGE.
    #expect((0..<4).map { board.dword(0x1020 + $0 * 4) } == [0x81, 0x91, 0x81, 0xA1])
    #expect(board.dword(0x1030) == 0x1111 && board.dword(0x1034) == 0x4444)
  }

  @Test(arguments: GuestEngine.precise) func supervisorModePrevention(_ engine: GuestEngine) throws {
    let board = try GuestBoard("access-prevention", on: engine, ramByteCount: 4 << 20)
    let exit = try board.run()
    // A host's processor without them.
    if engine == .kvm, board.verdict == 2 { return }
    #expect(board.verdict == 0, "\(exit)")
    func page(_ number: UInt64) -> UInt64 { 0x200000 + number * 0x1000 }
    let expected: [Int: Fault] = [
      // SMEP, with AC and without.
      2: .page(0x11, page(0)), 5: .page(0x11, page(0)),
      // SMAP: read, write, both, a string, over the edge; with AC a page is still read-only.
      6: .page(1, page(0)), 7: .page(3, page(0) + 8), 8: .page(3, page(0) + 16),
      9: .page(1, page(0) + 4), 10: .page(1, page(0)), 14: .page(3, page(2) + 8), 16: .page(1, page(0)),
      // LGDT's operand; the descriptor that a segment register is loaded from, whatever AC is.
      17: .page(1, page(0) + 0x200), 19: .page(1, page(0) + 0x100), 20: .page(1, page(0) + 0x100),
      21: .page(3, page(2)), 26: Fault(6, 0), 27: .page(5, page(1)),
    ]
    expect(board, stride: 16, count: 32, expected)
  }

  @Test(arguments: GuestEngine.precise) func doubleAndTripleFaults(_ engine: GuestEngine) throws {
    let board = try GuestBoard("double-fault", on: engine, ramByteCount: 4 << 20)
    let exit = try board.run()
    if case .shutdown = exit {} else { Issue.record("the guest did not shut down: \(exit)") }
    #expect(board.verdict == nil)
    #expect(board.dword(0x1000) == 0x7E57)
    expect(
      board, stride: 16, count: 10,
      [
        0: Fault(8, 0), 1: Fault(11, 6 * 8 + 3), 2: Fault(8, 0), 3: Fault(8, 0), 4: .page(2, 0x200FF8),
        5: Fault(8, 0), 6: Fault(8, 0), 7: Fault(11, 0x1F * 8 + 2), 8: Fault(13, 0x40 * 8 + 2),
      ])
    #expect(board.qword(0x1238) == 0x200FF8)
  }

  @Test(arguments: GuestEngine.there) func segments(_ engine: GuestEngine) throws {
    let board = try GuestBoard("segments", on: engine)
    let exit = try board.run()
    #expect(board.verdict == 0, "\(exit)")
    var expected: [Int: Fault] = [
      1: Fault(13, 0), 3: Fault(13, 0), 4: Fault(13, 0), 5: Fault(13, 0),
      7: Fault(12, 0), 8: Fault(12, 0),
      9: Fault(13, 0), 10: Fault(13, 0), 13: Fault(13, 0),
      15: Fault(13, 0), 16: Fault(13, 0), 17: Fault(13, 0),
      19: Fault(13, 0), 21: Fault(13, 0), 23: Fault(13, 0), 25: Fault(13, 0),
      26: Fault(13, 0x60), 27: Fault(11, 0x68), 28: Fault(12, 0x68), 29: Fault(13, 0x58),
      30: Fault(13, 0x10), 31: Fault(13, 0x90), 32: Fault(13, 0), 33: Fault(13, 0x28), 34: Fault(13, 0xC),
      36: Fault(13, 0), 37: Fault(13, 0x14),
      38: Fault(13, 0), 39: Fault(13, 0), 42: Fault(13, 0), 43: Fault(13, 0),
    ]
    // Over the end of 4 GiB: the manual leaves it to implementations, processors refuse, an interpreting KVM does not.
    if engine == .kvm {
      for number in [13, 38, 39] where board.dword(0x1200 + number * 8) == ~0 { expected[number] = nil }
    }
    expect(board, stride: 8, count: 48, expected)
    #expect(board.dword(0x1000) == 0x2222_2222 && board.byte(0x1004) == 0x33)
    #expect(board.dword(0x1008) == 0x5566_7788 && board.dword(0x100C) == 0x600D)
    #expect(board.dword(0x1010) >> 16 == 0x7788)
  }
}
