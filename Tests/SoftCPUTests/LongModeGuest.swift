// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import Chipset
import EventLoop
import GuestMemory

@testable import SoftCPU

/// A processor with the board's interrupt controllers, in 64-bit code with the first 2 MiB mapped for everyone. The
/// handlers of all vectors halt.
final class LongModeGuest {
  static let code: UInt64 = 0x10000
  private static let handlers: UInt64 = 0x8000
  let ram: RAMBlock
  let bus = SystemBus(lock: MachineLock())
  let clock = SteppedClock()
  let platform: PCInterruptPlatform
  let machine: SoftMachine
  let cpu: SoftVirtualCPU

  init(_ request: CPUModelRequest = CPUModelRequest()) throws {
    ram = try RAMBlock(name: "guest.ram", byteCount: 2 << 20)
    bus.memory.add(
      MemoryRegion(
        name: "ram", base: GuestAddress(UInt64(0)), count: UInt64(ram.byteCount),
        backing: .ram(ram, offset: 0)))
    platform = PCInterruptPlatform(clock: clock, apicIDs: [0])
    platform.map(ports: bus.ports, memory: bus.memory)
    machine = SoftMachine(bus: bus)
    bus.memory.addListener(machine)
    cpu = SoftVirtualCPU(
      index: 0, cpuid: try SoftCPUID(request, topology: CPUTopology(), index: 0),
      localAPIC: platform.localInterruptController(0), machine: machine, clock: clock,
      scheduler: SoftScheduler())
    machine.owners.append(cpu)
    machine.changes.isMapNew = true
    machine.takeOverMemoryChanges()
    writeTables()
  }

  private func writeTables() {
    func store(_ value: UInt64, _ offset: UInt64) {
      ram.hostAddress.storeBytes(of: value, toByteOffset: Int(offset), as: UInt64.self)
    }
    store(0x2007, 0x1000)
    store(0x3007, 0x2000)
    store(0x87, 0x3000)
    store(0x00AF_9B00_0000_FFFF, 0x5008)
    store(0x00CF_9300_0000_FFFF, 0x5010)
    // RSP0 of the TSS.
    store(0x7_0000, 0x5804)
    for vector in 0..<256 as Range<UInt64> {
      store((Self.handlers + vector * 16) | 0x08 << 16 | 0x8E << 40, 0x4000 + vector * 16)
      ram.hostAddress.storeBytes(of: 0xF4, toByteOffset: Int(Self.handlers + vector * 16), as: UInt8.self)
    }
  }

  /// Registers to execute `code` in kernel mode with interrupts off.
  func state(_ code: [UInt8]) -> CPUState {
    for (index, byte) in code.enumerated() {
      ram.hostAddress.storeBytes(of: byte, toByteOffset: Int(Self.code) + index, as: UInt8.self)
    }
    var state = cpu.registers()
    state.rip = Self.code
    state.rflags = 2
    state.general[4] = 0x6_0000
    (state.cr0, state.cr3, state.cr4, state.efer) = (0x8000_0033, 0x1000, 0x620, 0xD01)
    (state.gdtr.base, state.gdtr.limit) = (0x5000, 0x17)
    (state.idtr.base, state.idtr.limit) = (0x4000, 0xFFF)
    for number in 0..<6 {
      (state.segments[number].selector, state.segments[number].base) = (number == 1 ? 0x08 : 0x10, 0)
      state.segments[number].limit = ~0
      state.segments[number].attributes = number == 1 ? 0xA9B : 0xC93
    }
    (state.tr.base, state.tr.limit, state.tr.attributes) = (0x5800, 0x67, 0x8B)
    return state
  }

  /// Executes until the guest halts.
  /// - Returns: the vector whose handler halted; nil if it was not a handler.
  func run() -> UInt8? {
    let processor = cpu.cpu
    processor.activateSIMD()
    defer { processor.deactivateSIMD() }
    for _ in 0..<4 where cpu.activity == .running { _ = cpu.runSlice(2000) }
    let handler = processor.pointee.rip &- 1 &- Self.handlers
    return cpu.activity == .halted && handler < 4096 ? UInt8(handler >> 4) : nil
  }
}
