// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import GuestMemory

/// The interrupt controllers and the interval timer of a PC, for engines that do not bring their own: the 8259
/// pair, the 8254, the IOAPIC, and a local APIC for each processor.
public final class PCInterruptPlatform: InterruptPlatform, InterruptSink {
  private let pics = PIC8259Pair()
  private let bus = APICBus()
  private let ioapic: IOAPIC
  private var pit: PIT8254!
  private var localAPICs: [LocalAPIC] = []

  /// The chips for processors with these APIC IDs; the first is the bootstrap processor.
  public init(clock: Clock, apicIDs: [UInt32]) {
    ioapic = IOAPIC(bus: bus)
    pit = PIT8254(clock: clock, interrupt: InterruptLine(self, 0))
    localAPICs = apicIDs.enumerated().map { index, id in
      LocalAPIC(id: id, isBootstrap: index == 0, clock: clock, bus: bus)
    }
    pics.onOutput = { [unowned self] in localAPICs.first?.externalChanged(isRaised: $0) }
    bus.acknowledgeExternal = { [unowned self] in pics.acknowledge() }
    bus.onEndOfInterrupt = { [unowned self] in ioapic.endOfInterrupt($0) }
  }

  /// Maps the ports of the 8259 pair and the 8254, and the IOAPIC's page.
  public func map(ports: PortSpace, memory: MemorySpace) {
    pics.map(in: ports)
    pit.map(in: ports)
    memory.add(
      MemoryRegion(
        window: RegisterWindow(ioapic, (), name: "ioapic", count: 0x1000, narrowest: .dword, widest: .dword),
        base: GuestAddress(IOAPIC.base), priority: 1))
  }

  /// 0 … 15 reach the 8259 pair and the IOAPIC, where IRQ 0 is input 2; 16 … 23 the IOAPIC alone.
  public func setInterruptLine(_ number: Int, isRaised: Bool) {
    if number < 16, number != 2 { pics.setLine(number, isRaised: isRaised) }
    if number != 2 { ioapic.setLine(number == 0 ? 2 : number, isRaised: isRaised) }
  }

  public var interruptController: any InterruptSink { self }
  public var speakerGate: any SpeakerGate { pit }
  public func localInterruptController(_ index: Int) -> any LocalInterruptController { localAPICs[index] }

  public func reset() {
    pics.reset()
    ioapic.reset()
    pit.reset()
  }

  public func save() -> PlatformState {
    var state = PlatformState()
    state.pics = [pics.master.state, pics.slave.state]
    state.ioapic = ioapic.save()
    state.pit = pit.save()
    return state
  }

  public func restore(_ state: PlatformState) -> Bool {
    guard state.pics.count == 2, state.ioapic.redirection.count == IOAPIC.inputCount,
      state.pit.channels.count == 3
    else { return false }
    pics.slave.restore(state.pics[1])
    pics.master.restore(state.pics[0])
    ioapic.restore(state.ioapic)
    pit.restore(state.pit)
    return true
  }

  public func sendMessage(address: UInt64, data: UInt32) { bus.sendMessage(address: address, data: data) }
}
