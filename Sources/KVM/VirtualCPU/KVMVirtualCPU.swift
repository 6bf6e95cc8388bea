// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CKVM
import CPU
import Glibc

/// One vCPU: its descriptor (Linux, Documentation/virt/kvm/api.rst, "vCPU ioctls") and the run loop.
final class KVMVirtualCPU: VirtualCPU, @unchecked Sendable {
  // Unchecked: ``kick()`` is the one call made from other threads, and ``KVMRunControl`` is made for that;
  // everything else is called on the vCPU's thread or while it is stopped, as ``VirtualCPU`` demands.

  let index: Int
  let descriptor: Int32
  let control: KVMRunControl
  let bus: SystemBus
  let stateMSRs: KVMStateMSRs
  /// The size of the XSAVE area KVM hands out.
  let xsaveByteCount: Int
  private let machine: KVMVirtualMachine
  private let gate: KVMRunGate
  private let slots: KVMMemorySlots
  private let ring: KVMCoalescedRing?
  private(set) var powerOnState = CPUState()

  /// What all vCPUs of a machine share.
  struct Surroundings {
    let machine: KVMVirtualMachine
    let bus: SystemBus
    let gate: KVMRunGate
    let slots: KVMMemorySlots
    let stateMSRs: KVMStateMSRs
    let xsaveByteCount: Int
  }

  /// Takes over a vCPU's descriptor, shows it the processor of `cpuid`, and brings it to its reset state.
  init(
    index: Int, descriptor: Int32, control: KVMRunControl, ring: KVMCoalescedRing?, cpuid: [kvm_cpuid_entry2],
    signature: UInt32, tscKHz: Int?, surroundings: Surroundings
  ) throws(EngineError) {
    self.index = index
    self.descriptor = descriptor
    self.control = control
    self.ring = ring
    machine = surroundings.machine
    bus = surroundings.bus
    gate = surroundings.gate
    slots = surroundings.slots
    stateMSRs = surroundings.stateMSRs
    xsaveByteCount = surroundings.xsaveByteCount
    let list = VariableLengthList(cpuid)
    try request(descriptor, martlet_KVM_SET_CPUID2, list.bytes, "show the guest this CPU model")
    if let tscKHz, ioctl(descriptor, martlet_KVM_SET_TSC_KHZ, Int32(clamping: tscKHz)) < 0 {
      throw EngineError(refused: "run the time stamp counter at \(tscKHz) kHz")
    }
    setUpMachineChecks()
    powerOnState = try makePowerOnState(signature: signature)
    try reset()
  }

  deinit { close(descriptor) }

  // MARK: Running

  func run() -> VirtualCPUExit {
    control.enterLoop()
    defer { control.leaveLoop() }
    let failure = bus.lock.withLock {
      slots.activate()
      return slots.failure
    }
    if let failure { return .failed(describe(failure.description)) }
    while true {
      let result = control.enterGuest(vcpu: descriptor, gate: gate)
      if result == 0 {
        switch Int32(bitPattern: control.run.pointee.exit_reason) {
        case KVM_EXIT_IO: handlePortAccess()
        case KVM_EXIT_MMIO: handleMemoryAccess()
        default:
          if let exit = handleRareExit() { return exit }
        }
      } else if result == -EINTR {
        if control.takeKick() { return .interrupted }
      } else if result != -EAGAIN {
        return .failed(describeRunError(-result))
      }
    }
  }

  func kick() { control.kick() }

  /// Port input or output of 1, 2 or 4 bytes, or a string of them, in the page KVM shares.
  private func handlePortAccess() {
    let run = control.run
    let (size, port, isInput) = (run.pointee.io.size, run.pointee.io.port, run.pointee.io.direction == 0)
    var data = UnsafeMutableRawPointer(run) + Int(truncatingIfNeeded: run.pointee.io.data_offset)
    var count = run.pointee.io.count
    let ports = bus.ports
    bus.lock.lock()
    drainRing()
    while count > 0 {
      switch (size, isInput) {
      case (1, true):
        data.storeBytes(of: UInt8(truncatingIfNeeded: ports.read(port, .byte)), as: UInt8.self)
      case (1, false): ports.write(port, UInt64(data.load(as: UInt8.self)), .byte)
      case (2, true):
        data.storeBytes(of: UInt16(truncatingIfNeeded: ports.read(port, .word)).littleEndian, as: UInt16.self)
      case (2, false):
        ports.write(port, UInt64(UInt16(littleEndian: data.loadUnaligned(as: UInt16.self))), .word)
      case (_, true):
        data.storeBytes(
          of: UInt32(truncatingIfNeeded: ports.read(port, .dword)).littleEndian, as: UInt32.self)
      case (_, false):
        ports.write(port, UInt64(UInt32(littleEndian: data.loadUnaligned(as: UInt32.self))), .dword)
      }
      data += Int(size)
      count -= 1
    }
    bus.lock.unlock()
  }

  /// A read or write of 1 … 8 bytes where no memory slot is, or a write to a read-only one.
  private func handleMemoryAccess() {
    let run = control.run
    let (address, length) = (run.pointee.mmio.phys_addr, Int(min(run.pointee.mmio.len, 8)))
    let data = UnsafeMutableRawPointer(martlet_kvm_mmio_data(run)!)
    bus.lock.lock()
    drainRing()
    if run.pointee.mmio.is_write != 0 {
      bus.memory.writeBytes(
        UInt64(littleEndian: data.loadUnaligned(as: UInt64.self)), count: length, at: address)
    } else {
      data.storeBytes(of: bus.memory.readBytes(count: length, at: address).littleEndian, as: UInt64.self)
    }
    bus.lock.unlock()
  }

  @inline(__always)
  private func drainRing() {
    if let ring, !ring.isEmpty { ring.drain(into: bus) }
  }

  /// The exits that are no accesses; nil if the guest simply goes on.
  @inline(never)
  func handleRareExit() -> VirtualCPUExit? {
    bus.lock.lock()
    drainRing()
    bus.lock.unlock()
    switch Int32(bitPattern: control.run.pointee.exit_reason) {
    case KVM_EXIT_INTR, KVM_EXIT_SET_TPR, KVM_EXIT_IRQ_WINDOW_OPEN, KVM_EXIT_NMI, KVM_EXIT_X86_BUS_LOCK:
      return nil
    case KVM_EXIT_HLT:
      return .halted
    case KVM_EXIT_SHUTDOWN:
      return .shutdown
    case KVM_EXIT_SYSTEM_EVENT:
      switch Int32(bitPattern: control.run.pointee.system_event.type) {
      case KVM_SYSTEM_EVENT_SHUTDOWN: return .systemShutdown
      case KVM_SYSTEM_EVENT_RESET: return .systemReset
      default: return .failed(describeExit())
      }
    default:
      return .failed(describeExit())
    }
  }

  /// Delivers a non-maskable interrupt.
  func injectNMI() throws(EngineError) { try request(descriptor, martlet_KVM_NMI, nil, "deliver an NMI") }

  /// Tells a guest with a paravirtual clock that it was stopped, so that its watchdogs do not bark.
  func noteClockStopped() {
    // Refused if the guest has not turned that clock on.
    _ = ioctl(descriptor, martlet_KVM_KVMCLOCK_CTRL, 0)
  }

  /// Ten banks, all that KVM and the guest agree on (SDM volume 3, section 16.3).
  private func setUpMachineChecks() {
    // IA32_MCG_CAP: bank count, MCG_CTL present (bit 8), software error recovery (bit 24).
    var capabilities = 10 | (1 << 8 | 1 << 24) & machine.system.supportedMachineCheckCapabilities()
    // Without it the guest sees KVM's own number of banks.
    _ = ioctl(descriptor, martlet_KVM_X86_SETUP_MCE, &capabilities)
  }
}

extension KVMVirtualCPU {
  /// The frequency of the time stamp counter in kHz; nil if KVM does not tell.
  var tscKHz: Int? {
    let frequency = ioctl(descriptor, martlet_KVM_GET_TSC_KHZ, 0)
    return frequency > 0 ? Int(frequency) : nil
  }
}
