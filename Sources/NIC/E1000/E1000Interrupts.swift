// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

// Causes, the pin, and what holds it back (section 3.6 "Interrupt Moderation", 13.4.17 … 13.4.21).

extension E1000 {
  /// Interrupt causes come up; the pin follows as the mask and the throttle let it.
  func raise(_ causes: E1000Interrupts) {
    registers[E1000Register.icr >> 2] |= causes.rawValue
    updateInterrupt()
  }

  /// Interrupt causes come up after `delay` units of 1.024 µs, or with the next interrupt.
  ///
  /// The card would start its packet timers anew with each frame, up to the absolute ones; here the first frame
  /// starts them, so that a stream of frames does not set the clock for each.
  func raise(_ causes: E1000Interrupts, after delay: UInt32) {
    guard delay != 0, !isInterruptRaised, registers[E1000Register.ims >> 2] & causes.rawValue != 0 else {
      return raise(causes)
    }
    delayedCauses |= causes.rawValue
    guard !interruptTimer.isArmed else { return }
    let deadline = clock.now &+ UInt64(delay) &* E1000Delay.nanosecondsPerUnit
    interruptTimer.arm(at: max(deadline, throttledUntil))
  }

  /// Causes that were put off come up now.
  func flushDelayedInterrupts() {
    registers[E1000Register.icr >> 2] |= delayedCauses
    delayedCauses = 0
    updateInterrupt()
  }

  /// Brings the pin in line with causes and mask.
  func updateInterrupt() {
    let pending = registers[E1000Register.icr >> 2] & registers[E1000Register.ims >> 2]
    guard pending != 0 else {
      if isInterruptRaised {
        isInterruptRaised = false
        setInterrupt(false)
      }
      return
    }
    guard !isInterruptRaised else { return }
    let interval = UInt64(registers[E1000Register.itr >> 2] & 0xFFFF) &* E1000Delay.nanosecondsPerThrottleUnit
    if interval != 0 {
      // Known to be held back: the time need not be asked for.
      if let deadline = interruptTimer.deadline, deadline == throttledUntil { return }
      let now = clock.now
      guard now >= throttledUntil else { return interruptTimer.arm(at: throttledUntil) }
      throttledUntil = now &+ interval
    }
    registers[E1000Register.icr >> 2] |= delayedCauses
    delayedCauses = 0
    interruptTimer.disarm()
    isInterruptRaised = true
    setInterrupt(true)
  }

  /// ICR: reading it clears it.
  func readCauses() -> UInt32 {
    let value = registers[E1000Register.icr >> 2] | delayedCauses
    registers[E1000Register.icr >> 2] = 0
    if delayedCauses != 0 {
      delayedCauses = 0
      interruptTimer.disarm()
    }
    updateInterrupt()
    return value
  }

  /// A new interval counts from the last interrupt.
  func writeThrottle(_ value: UInt32) {
    registers[E1000Register.itr >> 2] = value & 0xFFFF
    let interval = UInt64(value & 0xFFFF) &* E1000Delay.nanosecondsPerThrottleUnit
    let end = clock.now &+ interval
    if throttledUntil > end { throttledUntil = interval == 0 ? 0 : end }
    updateInterrupt()
  }
}
