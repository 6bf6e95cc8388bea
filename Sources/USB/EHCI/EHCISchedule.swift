// SPDX-License-Identifier: GPL-2.0-or-later

import GuestMemory

/// The walks of the two schedules (EHCI 1.0, sections 4.6 to 4.8).
///
/// There is no clock of 8 kHz: the schedules are walked when there is reason to, every microframe while something
/// moves, and ever more seldom while nothing does.
extension EHCI {
  /// What one walk has left, and what it found.
  struct Walk {
    /// The number of links followed at a time, over all frames.
    var links = 4096
    /// Some ten times a real bus in a microframe.
    var bytes = 128 << 10
    var hasMoved = false
    var interrupts: EHCIStatus = []
    let now: UInt64
  }

  // MARK: Time

  private var isBusy: Bool {
    isRunning
      && !usbCommand.isDisjoint(with: [.periodicEnable, .asyncEnable, .asyncAdvanceDoorbell])
  }

  /// There may be something to do: look as soon as possible.
  func wake() {
    backoff.restart()
    guard isBusy else { return armTimer(nil) }
    if (timer.deadline ?? .max) > clock.now { timer.arm(at: clock.now) }
  }

  private func armTimer(_ deadline: UInt64?) {
    let deadline = min(deadline ?? .max, isRunning ? rolloverDeadline ?? .max : .max)
    if deadline == .max { timer.disarm() } else { timer.arm(at: deadline) }
  }

  func timerFired() {
    guard isRunning else { return }
    noteRollover()
    guard isBusy else { return armTimer(nil) }
    var walk = Walk(now: clock.now)
    let (first, count) = frames.takeBegun(at: walk.now)
    if isBusMaster {
      if usbCommand.contains(.periodicEnable) {
        visits.forget()
        for index in 0..<count where isRunning && walk.links > 0 { walkPeriodic(first &+ index, &walk) }
      }
      if usbCommand.contains(.asyncEnable) && isRunning { walkAsync(&walk) }
    }
    guard isRunning else { return }
    if usbCommand.contains(.asyncAdvanceDoorbell) {
      // What the walk did not come by is not in the list any more.
      transfers.cancel { $0.lastSeen != walk.now }
      usbCommand.remove(.asyncAdvanceDoorbell)
      walk.interrupts.insert(.asyncAdvance)
    }
    transfers.cancel { walk.now &- $0.lastSeen > USBTransferSlots.forgottenAfter }
    if walk.hasMoved { backoff.restart() } else { backoff.lookedInVain() }
    if !walk.interrupts.isEmpty { report(walk.interrupts) }
    guard isBusy else { return armTimer(nil) }
    armTimer(
      backoff.isQuick
        ? frames.nextMicroframe(at: walk.now) : walk.now &+ backoff.milliseconds &* EHCIFrames.frameLength)
  }

  // MARK: The walks

  private func walkPeriodic(_ frame: UInt64, _ walk: inout Walk) {
    let entry = periodicListBase &+ UInt32(truncatingIfNeeded: frame & 0x3FF) &* 4
    guard var link = memory.load(GuestAddress(entry)).map(EHCILink.init) else { return haltForSystemError() }
    while !link.isTerminated && isRunning && walk.links > 0 {
      walk.links -= 1
      switch link.kind {
      case .queueHead:
        guard visits.visit(link.address) else { return }
        runQueue(at: link.address, &walk)
      case .isochronous: runIsochronous(at: link.address, &walk)
      // Split transactions are for hubs of high speed, of which there are none.
      case .splitIsochronous, .spanTraversal: break
      }
      guard isRunning else { return }
      guard let next = memory.load(GuestAddress(link.address)).map(EHCILink.init) else {
        return haltForSystemError()
      }
      link = next
    }
  }

  private func walkAsync(_ walk: inout Walk) {
    visits.forget()
    var address = asyncListAddress
    while isRunning && walk.links > 0 && walk.bytes > 0 {
      walk.links -= 1
      // A full turn in vain ends it, at a queue head that is surely in the list.
      guard visits.visit(address) else { break }
      runQueue(at: address, &walk)
      guard isRunning else { return }
      guard let link = memory.load(GuestAddress(address)).map(EHCILink.init) else {
        return haltForSystemError()
      }
      guard link.kind == .queueHead, !link.isTerminated else { break }
      address = link.address
    }
    asyncListAddress = address
  }
}
