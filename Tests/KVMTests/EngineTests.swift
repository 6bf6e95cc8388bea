// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CPU
import EventLoop
import Glibc
import Testing

@testable import GuestSupport
@testable import KVM

/// What a person reads when KVM cannot be used.
@Suite struct KVMErrorTests {
  @Test func aMissingDeviceSaysWhatToDo() {
    let error = #expect(throws: EngineError.self) { _ = try KVMSystem(path: "/dev/no-kvm-here") }
    #expect(error?.description.contains("/dev/no-kvm-here") == true)
    #expect(error?.description.contains("modprobe") == true)
  }

  @Test func aDeviceThatIsNotKVMIsRefused() {
    let error = #expect(throws: EngineError.self) { _ = try KVMSystem(path: "/dev/null") }
    #expect(error?.description.contains("not KVM") == true)
  }

  @Test func eachReasonHasItsAdvice() {
    #expect(KVMSystem.openError("/dev/kvm", code: EACCES).description.contains("usermod -aG kvm"))
    #expect(KVMSystem.openError("/dev/kvm", code: ENODEV).description.contains("firmware setup"))
    #expect(KVMSystem.openError("/dev/kvm", code: ENOENT).description.contains("kvm_intel or kvm_amd"))
    #expect(KVMSystem.openError("/dev/kvm", code: EMFILE).description.contains("Too many open files"))
  }
}

@Suite(.serialized, .enabled(if: KVMAvailability.isThere, Comment(rawValue: KVMAvailability.need)))
struct EngineTests {
  private func makeEngine(
    _ cpu: CPUModelRequest = CPUModelRequest(), topology: CPUTopology = CPUTopology(),
    options: KVMEngine.Options = .init()
  ) throws -> KVMEngine {
    try KVMEngine(bus: SystemBus(lock: MachineLock()), topology: topology, cpu: cpu, options: options)
  }

  @Test func aMissingCapabilityIsNamed() throws {
    let system = try KVMSystem()
    let error = #expect(throws: EngineError.self) { try system.require([(9999, "KVM_CAP_OF_TOMORROW")]) }
    #expect(error?.description.contains("KVM_CAP_OF_TOMORROW") == true)
  }

  @Test func tooManyCPUsAreRefused() {
    let error = #expect(throws: EngineError.self) {
      _ = try makeEngine(topology: CPUTopology(cores: 100_000))
    }
    #expect(error?.description.contains("at most") == true)
    // 3 × 64 threads take 8 bits with gaps.
    let wide = #expect(throws: EngineError.self) {
      _ = try makeEngine(topology: CPUTopology(sockets: 5, cores: 33, threads: 1))
    }
    #expect(wide?.description.contains("APIC") == true)
  }

  @Test func misspelledNamesAreCorrected() {
    let model = #expect(throws: EngineError.self) { _ = try makeEngine(CPUModelRequest(model: "quemu64")) }
    #expect(model?.description.contains("'qemu64'") == true)
    let feature = #expect(throws: EngineError.self) { _ = try makeEngine(CPUModelRequest(added: ["sse4.3"])) }
    #expect(feature?.description.contains("did you mean 'sse4.") == true)
  }

  @Test func aFeatureTheHostLacksIsAWarning() throws {
    let engine = try makeEngine(CPUModelRequest(model: "qemu64", added: ["3dnow"]))
    #expect(engine.warnings.count == 1 || engine.featureNames.contains("3dnow"))
    #expect(engine.warnings.first?.contains("'3dnow'") ?? true)
  }

  @Test func aVirtualCPUIsMadeOnce() throws {
    let engine = try makeEngine()
    #expect(throws: EngineError.self) { _ = try engine.makeVirtualCPU(index: 1) }
    let cpu = try engine.makeVirtualCPU(index: 0)
    #expect(throws: EngineError.self) { _ = try engine.makeVirtualCPU(index: 0) }
    #expect(cpu.index == 0)
    #expect(try cpu.registers().rip == 0xFFF0)
  }

  @Test func guestTimeStandsStillWhilePaused() throws {
    let engine = try makeEngine()
    _ = try engine.makeVirtualCPU(index: 0)
    #expect(try engine.savePlatform().paravirtualClock ?? 0 == 0)
    try engine.clockStarted()
    usleep(2000)
    engine.clockStopped()
    let first = try engine.savePlatform()
    usleep(2000)
    #expect(try engine.savePlatform().paravirtualClock == first.paravirtualClock)
    #expect(try engine.savePlatform().pit == first.pit)
    try engine.clockStarted()
    usleep(2000)
    if let clock = first.paravirtualClock {
      let now = try #require(engine.savePlatform().paravirtualClock)
      #expect(now > clock + 1_000_000)
    }
  }

  /// KVM's own after it was made, as far as a guest can tell, is what is shown before.
  @Test func theTimerIsMadeInItsPowerOnState() throws {
    let engine = try makeEngine()
    _ = try engine.makeVirtualCPU(index: 0)
    func counters() throws -> [PlatformState.PIT.Channel] {
      try engine.savePlatform().pit.channels.map {
        var channel = $0
        channel.sinceLoad = 0
        return channel
      }
    }
    let before = try counters()
    try engine.clockStarted()
    #expect(try counters() == before)
    let system = try KVMSystem(path: "/dev/kvm")
    let machine = try KVMVirtualMachine(system: system)
    try machine.createInterruptControllers()
    try machine.createTimer()
    let fresh = PlatformState.PIT(try machine.timer(), now: KVMVirtualMachine.monotonicNanoseconds)
    #expect(
      fresh.channels.map { [UInt32($0.mode), $0.count, UInt32($0.gate)] }
        == before.map { [UInt32($0.mode), $0.count, UInt32($0.gate)] })
  }

  @Test func theSpeakersCounterIsGatedAndSeen() throws {
    let engine = try makeEngine()
    let speaker = engine.speakerGate
    #expect(!speaker.isGateOpen)
    speaker.isGateOpen = true
    #expect(speaker.isGateOpen)
    #expect(try engine.savePlatform().pit.channels[2].gate == 1)
    try engine.clockStarted()
    #expect(speaker.isGateOpen)
    #expect(try engine.savePlatform().pit.channels[2].gate == 1, "kept while time stood still")
    var platform = try engine.savePlatform()
    // Counter 2 in mode 0 with 1193 counts: OUT rises after a millisecond.
    platform.pit.channels[2].mode = 0
    platform.pit.channels[2].count = 1193
    platform.pit.channels[2].gate = 1
    platform.pit.channels[2].sinceLoad = 0
    try engine.restorePlatform(platform)
    #expect(speaker.isGateOpen)
    usleep(5000)
    #expect(speaker.output)
    try engine.resetPlatform()
    #expect(!speaker.isGateOpen)
  }

  @Test func outFollowsTheModes() {
    func output(mode: UInt8, count: UInt32, ticks: Int64) -> Bool {
      var channel = PlatformState.PIT.Channel()
      channel.mode = mode
      channel.count = count
      // In the middle of a tick of 838 ns.
      channel.sinceLoad = ticks < 1 << 20 ? ticks * 1_000_000_000 / 1_193_182 + 400 : .max
      return channel.output
    }
    #expect(!output(mode: 0, count: 10, ticks: 9))
    #expect(output(mode: 0, count: 10, ticks: 10))
    #expect(output(mode: 2, count: 10, ticks: 8))
    #expect(!output(mode: 2, count: 10, ticks: 9))
    #expect(output(mode: 2, count: 10, ticks: 10))
    #expect(output(mode: 3, count: 10, ticks: 4))
    #expect(!output(mode: 3, count: 10, ticks: 5))
    #expect(!output(mode: 4, count: 10, ticks: 10))
    #expect(output(mode: 4, count: 10, ticks: 11))
    #expect(!output(mode: 0, count: 0, ticks: 0xFFFF))
    #expect(output(mode: 0, count: 0, ticks: 0x10000))
    #expect(output(mode: 0, count: 10, ticks: 1 << 40))
  }

  @Test func interruptLinesOutOfRangeAreIgnored() throws {
    let engine = try makeEngine()
    for line in [-1, 24, Int.max, Int.min] {
      engine.interruptController.setInterruptLine(line, isRaised: true)
    }
    // IRQ 5 reaches the 8259 and the IOAPIC; GSI 20 the IOAPIC alone.
    engine.interruptController.setInterruptLine(5, isRaised: true)
    engine.interruptController.setInterruptLine(20, isRaised: true)
    var platform = try engine.savePlatform()
    #expect(platform.pics[0].irr & 1 << 5 != 0)
    #expect(platform.ioapic.irr & (1 << 5 | 1 << 20) == 1 << 5 | 1 << 20)
    engine.interruptController.setInterruptLine(20, isRaised: false)
    platform = try engine.savePlatform()
    #expect(platform.ioapic.irr & 1 << 20 == 0)
  }
}
