// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import GuestMemory

/// The interrupt controllers and the interval timer of a PC, for engines that do not bring their own: the 8259
/// pair, the 8254, the IOAPIC, and a local APIC for each processor.
public final class PCInterruptPlatform: InterruptPlatform {
  private let bus = APICBus()
  private let lines: InterruptRouting
  private let pit: PIT8254
  private let localAPICs: [LocalAPIC]

  /// The chips for processors with these APIC IDs; the first is the bootstrap processor.
  public init(clock: Clock, apicIDs: [UInt32]) {
    let bus = bus
    let localAPICs = apicIDs.enumerated().map { index, id in
      LocalAPIC(id: id, isBootstrap: index == 0, clock: clock, bus: bus)
    }
    let pics = PIC8259 { [unowned bus] in bus.externalInterruptChanged(isRaised: $0) }
    let ioapic = IOAPIC(bus: bus)
    bus.acknowledgeExternal = { [unowned pics] in pics.acknowledge() }
    bus.onEndOfInterrupt = { [unowned ioapic] in ioapic.endOfInterrupt($0) }
    self.localAPICs = localAPICs
    lines = InterruptRouting(pics: pics, ioapic: ioapic)
    pit = PIT8254(clock: clock, interrupt: InterruptLine(lines, 0))
  }

  /// Maps the ports of the 8259 pair and the 8254, and the IOAPIC's page.
  public func map(ports: PortSpace, memory: MemorySpace) {
    lines.pics.map(in: ports)
    pit.map(in: ports)
    memory.add(
      MemoryRegion(
        window: RegisterWindow(
          lines.ioapic, (), name: "ioapic", count: 0x1000, narrowest: .dword, widest: .dword),
        base: GuestAddress(IOAPIC.base), priority: 1))
  }

  public var interruptController: any InterruptSink { lines }
  /// Told of each change of a line, 0 … 23, before the chips are.
  public var onLineChange: ((_ number: Int, _ isRaised: Bool) -> Void)? {
    get { lines.onChange }
    set { lines.onChange = newValue }
  }
  /// Sets an input of the 8259 pair alone, 0 … 15, for tests.
  public func setPICInput(_ number: Int, isRaised: Bool) {
    if (0..<16).contains(number), number != 2 { lines.pics.setInput(number, isRaised: isRaised) }
  }
  /// Sets an input of the IOAPIC alone, 0 … 23, for tests; 0 is the 8254's line, which is input 2.
  public func setIOAPICInput(_ number: Int, isRaised: Bool) {
    if (0..<24).contains(number) { lines.ioapic.setLine(number == 0 ? 2 : number, isRaised: isRaised) }
  }
  public var speakerGate: any SpeakerGate { pit }
  public func localInterruptController(_ index: Int) -> any LocalInterruptController { localAPICs[index] }

  public func reset() {
    pit.reset()
    lines.pics.reset()
    lines.ioapic.reset()
  }

  public func save() -> PlatformState {
    var state = PlatformState()
    state.pics = lines.pics.save()
    state.ioapic = lines.ioapic.save()
    state.pit = pit.save()
    return state
  }

  public func restore(_ state: PlatformState) -> Bool {
    guard state.pics.count == 2, state.ioapic.redirection.count == IOAPIC.inputCount,
      state.pit.channels.count == 3
    else { return false }
    // The edges that these make have been taken already, where the state comes from.
    lines.isDeaf = true
    bus.isRestoring = true
    defer { (lines.isDeaf, bus.isRestoring) = (false, false) }
    guard (try? pit.restore(state.pit)) != nil, (try? lines.pics.restore(state.pics)) != nil else {
      return false
    }
    // What the 8259s saw of the lines, of which IRQ 0 is the IOAPIC's input 2.
    let seen = UInt32(state.pics[0].lastIRR) | UInt32(state.pics[1].lastIRR) << 8
    lines.ioapic.restore(state.ioapic, knownLevels: seen & ~7 | seen & 2 | (seen & 1) << 2)
    return true
  }

  public func sendMessage(address: UInt64, data: UInt32) { bus.sendMessage(address: address, data: data) }
}

/// Where the board's 24 lines end: 0 … 15 at the 8259 pair and at the IOAPIC, where IRQ 0 is input 2; 16 … 23 at the IOAPIC
/// alone. IRQ 2 is the cascade and has no line.
private final class InterruptRouting: InterruptSink {
  let pics: PIC8259
  let ioapic: IOAPIC
  /// Changes are not passed on, while a state is restored.
  var isDeaf = false
  var onChange: ((Int, Bool) -> Void)?

  init(pics: PIC8259, ioapic: IOAPIC) { (self.pics, self.ioapic) = (pics, ioapic) }

  func setInterruptLine(_ number: Int, isRaised: Bool) {
    guard number != 2, !isDeaf else { return }
    onChange?(number, isRaised)
    pics.setInput(number, isRaised: isRaised)
    ioapic.setLine(number == 0 ? 2 : number, isRaised: isRaised)
  }
}
