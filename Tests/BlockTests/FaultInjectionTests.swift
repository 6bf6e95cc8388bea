// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import TestSupport
import Testing

@testable import Block

@Suite struct FaultInjectionTests {
  final class Owner: BlockRequestOwner {
    var results: [BlockResult] = []
    func blockRequestCompleted(_ request: BlockRequest) { results.append(request.result) }
  }

  let base = ScriptedDevice()
  let owner = Owner()

  private func request(_ operation: BlockOperation, sector: UInt64 = 0) -> BlockRequest {
    let request = BlockRequest(owner: owner)
    request.operation = operation
    request.offset = sector * 512
    return request
  }

  /// As QEMU's ide-test writes them.
  @Test func aFlushFailsOnce() throws {
    let rules = try FaultRules(
      text: """
        [inject-error]
        event = "flush_to_disk"
        errno = "5"
        state = "1"
        immediately = "off"
        once = "on"
        [set-state]
        event = "flush_to_disk"
        new_state = "2"
        """)
    let device = FaultInjector(over: base, rules: rules)
    device.submit(request(.read))
    device.submit(request(.flush))
    #expect(owner.results == [.failed(code: EIO)])
    device.submit(request(.flush))
    #expect(base.pending.map(\.operation) == [.read, .flush])
    device.drain()
    #expect(owner.results == [.failed(code: EIO), .success, .success])
  }

  @Test func statesAndSectorsChooseRequests() throws {
    let rules = try FaultRules(
      text: """
        # The second write to sector 7.
        [set-state]
          event="write_aio"
          state="1"
          new_state="2"
        [inject-error]
          event="write_aio"
          state="2"
          sector="7"
          errno="28"
        """)
    let device = FaultInjector(over: base, rules: rules)
    var bytes = [UInt8](repeating: 0, count: 1024)
    bytes.withUnsafeMutableBytes { bytes in
      for sector in [7, 5, 6, 7, 8] as [UInt64] {
        let request = request(.write, sector: sector)
        _ = request.append(bytes)
        device.submit(request)
      }
      // 6 and 7 reach sector 7, the first 7 came in state 1.
      #expect(owner.results == [.failed(code: ENOSPC), .failed(code: ENOSPC)])
      #expect(base.pending.map { $0.offset / 512 } == [7, 5, 8])
      device.drain()
    }
  }

  @Test func breakpointsHoldRequests() {
    let device = FaultInjector(over: base)
    device.addBreakpoint(.flushToOS, tag: "A")
    device.addBreakpoint(.flushToDisk, tag: "B")
    device.submit(request(.read))
    device.submit(request(.flush))
    #expect(base.pending.map(\.operation) == [.read])
    #expect(device.isHeld(tag: "A"))
    #expect(!device.resume(tag: "B"))
    #expect(device.resume(tag: "A"))
    #expect(!device.isHeld(tag: "A"))
    #expect(device.isHeld(tag: "B"))
    #expect(device.removeBreakpoints(tag: "B"))
    #expect(base.pending.map(\.operation) == [.read, .flush])
    #expect(!device.removeBreakpoints(tag: "B"))
    device.submit(request(.flush))
    #expect(base.pending.count == 3)
  }

  @Test func heldRequestsAreCancelledAndDrained() {
    let device = FaultInjector(over: base)
    device.addBreakpoint(.read, tag: "A")
    device.addBreakpoint(.read, tag: "A")
    let (first, second) = (request(.read), request(.read))
    device.submit(first)
    device.submit(second)
    device.cancel(first)
    #expect(owner.results == [.cancelled])
    device.drain()
    #expect(owner.results == [.cancelled, .success])
  }

  @Test(arguments: [
    "event = \"read_aio\"", "[inject-error]\nevent", "[inject-error]\nevent = \"read\"",
    "[other]\nevent = \"read_aio\"", "[inject-error]\nevent = \"read_aio\"\nerrno = \"x\"",
    "[inject-error]\nevent = \"read_aio\"\nonce = \"maybe\"", "[set-state]\nevent = \"read_aio\"",
    "[inject-error]\nevent = \"read_aio\"\nnothing = \"1\"",
    "[inject-error]\nevent = \"read_aio\"\nerrno = \"-1\"",
  ])
  func wrongRulesAreRefused(text: String) {
    let error = #expect(throws: FaultRulesError.self) { try FaultRules(text: text) }
    #expect(error?.description.hasPrefix("line ") == true)
  }

  @Test func noRulesAreRules() throws {
    #expect(try FaultRules(text: "\n# nothing\n") == FaultRules())
    #expect(throws: FaultRulesError.self) { try FaultRules(path: "/nowhere") }
  }
}
