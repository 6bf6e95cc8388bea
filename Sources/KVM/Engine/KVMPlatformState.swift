// SPDX-License-Identifier: GPL-2.0-or-later

import CKVM
import CPU
import Glibc

/// Reads and writes the chips in KVM, in terms of their data sheets.
extension KVMVirtualMachine {
  /// The interrupt controllers' part of the platform's state.
  func interruptControllers() throws(EngineError) -> PlatformState {
    var state = PlatformState()
    state.pics = [
      PlatformState.PIC(try interruptController(KVM_IRQCHIP_PIC_MASTER).chip.pic),
      PlatformState.PIC(try interruptController(KVM_IRQCHIP_PIC_SLAVE).chip.pic),
    ]
    state.ioapic = PlatformState.IOAPIC(try interruptController(KVM_IRQCHIP_IOAPIC).chip.ioapic)
    return state
  }

  /// Takes over the interrupt controllers' part of a state.
  func setInterruptControllers(_ state: PlatformState) throws(EngineError) {
    guard state.pics.count == 2, state.ioapic.redirection.count == 24 else {
      throw EngineError.damagedPlatform
    }
    for (number, pic) in [KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE].enumerated() {
      var chip = kvm_irqchip()
      chip.chip_id = UInt32(bitPattern: pic)
      chip.chip.pic = state.pics[number].kvm
      try setInterruptController(chip)
    }
    var chip = kvm_irqchip()
    chip.chip_id = UInt32(bitPattern: KVM_IRQCHIP_IOAPIC)
    chip.chip.ioapic = state.ioapic.kvm
    try setInterruptController(chip)
  }

  /// The clock by which KVM times the 8254.
  static var monotonicNanoseconds: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

extension PlatformState.PIC {
  init(_ pic: kvm_pic_state) {
    self.init()
    (lastIRR, irr, imr, isr) = (pic.last_irr, pic.irr, pic.imr, pic.isr)
    (priorityAdd, irqBase, readRegisterSelect, poll) = (
      pic.priority_add, pic.irq_base, pic.read_reg_select, pic.poll
    )
    (specialMask, initState, autoEOI) = (pic.special_mask, pic.init_state, pic.auto_eoi)
    (rotateOnAutoEOI, specialFullyNested) = (pic.rotate_on_auto_eoi, pic.special_fully_nested_mode)
    (init4, elcr, elcrMask) = (pic.init4, pic.elcr, pic.elcr_mask)
  }

  var kvm: kvm_pic_state {
    var pic = kvm_pic_state()
    (pic.last_irr, pic.irr, pic.imr, pic.isr) = (lastIRR, irr, imr, isr)
    (pic.priority_add, pic.irq_base, pic.read_reg_select) = (
      priorityAdd & 7, irqBase & 0xF8, readRegisterSelect & 1
    )
    (pic.poll, pic.special_mask, pic.init_state) = (poll & 1, specialMask & 1, min(initState, 3))
    (pic.auto_eoi, pic.rotate_on_auto_eoi) = (autoEOI & 1, rotateOnAutoEOI & 1)
    (pic.special_fully_nested_mode, pic.init4) = (specialFullyNested & 1, init4 & 1)
    (pic.elcr, pic.elcr_mask) = (elcr & elcrMask, elcrMask)
    return pic
  }
}

extension PlatformState.IOAPIC {
  /// Where the redirection table is in `kvm_ioapic_state`, whose bit-fields Swift does not import.
  private static let tableOffset = 24

  init(_ ioapic: kvm_ioapic_state) {
    self.init()
    (baseAddress, registerSelect, id, irr) = (ioapic.base_address, ioapic.ioregsel, ioapic.id, ioapic.irr)
    redirection = withUnsafeBytes(of: ioapic) { bytes in
      (0..<24).map { bytes.load(fromByteOffset: Self.tableOffset + $0 * 8, as: UInt64.self) }
    }
  }

  var kvm: kvm_ioapic_state {
    var ioapic = kvm_ioapic_state()
    (ioapic.base_address, ioapic.ioregsel, ioapic.id, ioapic.irr) = (
      baseAddress, registerSelect & 0xFF, id & 15, irr
    )
    withUnsafeMutableBytes(of: &ioapic) { bytes in
      for (index, entry) in redirection.enumerated() {
        bytes.storeBytes(of: entry, toByteOffset: Self.tableOffset + index * 8, as: UInt64.self)
      }
    }
    return ioapic
  }
}

extension PlatformState.PIT {
  init(_ pit: kvm_pit_state2, now: Int64) {
    self.init()
    flags = pit.flags
    channels = [pit.channels.0, pit.channels.1, pit.channels.2].map { Channel($0, now: now) }
  }

  func kvm(now: Int64) -> kvm_pit_state2 {
    var pit = kvm_pit_state2()
    pit.flags = flags & UInt32(KVM_PIT_FLAGS_HPET_LEGACY | KVM_PIT_FLAGS_SPEAKER_DATA_ON)
    pit.channels = (channels[0].kvm(now: now), channels[1].kvm(now: now), channels[2].kvm(now: now))
    return pit
  }
}

extension PlatformState.PIT.Channel {
  init(_ channel: kvm_pit_channel_state, now: Int64) {
    self.init()
    (count, latchedCount) = (channel.count, channel.latched_count)
    (countLatched, statusLatched, status) = (channel.count_latched, channel.status_latched, channel.status)
    (readState, writeState, writeLatch) = (channel.read_state, channel.write_state, channel.write_latch)
    (accessMode, mode, bcd, gate) = (channel.rw_mode, channel.mode, channel.bcd, channel.gate)
    sinceLoad = max(0, now &- channel.count_load_time)
  }

  func kvm(now: Int64) -> kvm_pit_channel_state {
    var channel = kvm_pit_channel_state()
    (channel.count, channel.latched_count) = (min(count, 0x10000), latchedCount)
    (channel.count_latched, channel.status_latched, channel.status) = (countLatched, statusLatched, status)
    (channel.read_state, channel.write_state, channel.write_latch) = (readState, writeState, writeLatch)
    (channel.rw_mode, channel.mode, channel.bcd, channel.gate) = (accessMode, mode, bcd & 1, gate & 1)
    channel.count_load_time = now &- max(0, sinceLoad)
    return channel
  }

  /// OUT, from the counter's mode and the time since its count was loaded (Intel data sheet 231164, "Mode
  /// Definitions").
  var output: Bool {
    let load = count == 0 ? 0x10000 : UInt64(count)
    // 1,193,182 Hz; the product of a day's nanoseconds and the frequency needs more than 64 bits.
    let wide = UInt64(max(0, sinceLoad)).multipliedFullWidth(by: 1_193_182)
    guard wide.high < 1_000_000_000 else { return true }
    let elapsed = (1_000_000_000 as UInt64).dividingFullWidth(wide).quotient
    return switch mode & 7 {
    case 0, 1: elapsed >= load
    case 2, 6: elapsed % load != load - 1
    case 3, 7: elapsed % load < (load + 1) / 2
    default: elapsed != load
    }
  }
}
