// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import EventLoop
import GuestMemory
import PCI

/// A small board for device tests: RAM from address 0, ports, a PCI bus with its configuration ports, a
/// clock moved by hand, and recorders where interrupts and requests to the machine end.
public final class TestBoard {
  public let ram: RAMBlock
  public let ports = PortSpace()
  public let memory = MemorySpace()
  public let clock = SteppedClock()
  public let pci: PCIBus
  public let pciMechanism: PCIConfigurationMechanism
  /// ISA IRQs and GSIs.
  public let interrupts = InterruptRecorder()
  /// The four PCI lines (PIRQA … PIRQD).
  public let pciInterrupts = InterruptRecorder()
  public let control = SystemControlRecorder()

  /// A board with `ramByteCount` bytes of RAM.
  public init(ramByteCount: Int = 16 << 20) throws {
    ram = try RAMBlock(name: "test.ram", byteCount: ramByteCount)
    memory.add(
      MemoryRegion(
        name: "ram", base: GuestAddress(UInt64(0)), count: UInt64(ramByteCount), backing: .ram(ram, offset: 0)
      ))
    pci = PCIBus(ports: ports, memory: memory)
    pciMechanism = PCIConfigurationMechanism(bus: pci)
    pciMechanism.map(in: ports)
    pci.interruptRouter = pciInterrupts
  }

  /// IN AL, DX.
  public func inb(_ port: UInt16) -> UInt8 { UInt8(truncatingIfNeeded: ports.read(port, .byte)) }
  /// IN AX, DX.
  public func inw(_ port: UInt16) -> UInt16 { UInt16(truncatingIfNeeded: ports.read(port, .word)) }
  /// IN EAX, DX.
  public func inl(_ port: UInt16) -> UInt32 { UInt32(truncatingIfNeeded: ports.read(port, .dword)) }
  /// OUT DX, AL.
  public func outb(_ port: UInt16, _ value: UInt8) { ports.write(port, UInt64(value), .byte) }
  /// OUT DX, AX.
  public func outw(_ port: UInt16, _ value: UInt16) { ports.write(port, UInt64(value), .word) }
  /// OUT DX, EAX.
  public func outl(_ port: UInt16, _ value: UInt32) { ports.write(port, UInt64(value), .dword) }

  /// Reads a PCI configuration dword by mechanism #1.
  public func readConfiguration(_ address: PCIAddress, _ register: Int) -> UInt32 {
    outl(
      0xCF8,
      0x8000_0000 | UInt32(address.device) << 11 | UInt32(address.function) << 8 | UInt32(register & 0xFC))
    return inl(0xCFC)
  }
  /// Writes a PCI configuration dword by mechanism #1.
  public func writeConfiguration(_ address: PCIAddress, _ register: Int, _ value: UInt32) {
    outl(
      0xCF8,
      0x8000_0000 | UInt32(address.device) << 11 | UInt32(address.function) << 8 | UInt32(register & 0xFC))
    outl(0xCFC, value)
  }
}

/// Remembers what devices asked of the machine.
public final class SystemControlRecorder: SystemControl {
  public private(set) var resets: [ResetCause] = []
  public private(set) var shutdowns: [ShutdownCause] = []
  public private(set) var pauses: [String] = []
  public private(set) var crashes: [CrashReport] = []
  public private(set) var cpuInits = 0
  public private(set) var isA20Enabled = true

  /// Nothing has been asked.
  public init() {}
  public func requestReset(_ cause: ResetCause) { resets.append(cause) }
  public func requestShutdown(_ cause: ShutdownCause) { shutdowns.append(cause) }
  public func requestPause(reason: String) { pauses.append(reason) }
  public func reportCrash(_ report: CrashReport) { crashes.append(report) }
  public func requestCPUInit() { cpuInits += 1 }
  public func setA20(isEnabled: Bool) { isA20Enabled = isEnabled }
}
