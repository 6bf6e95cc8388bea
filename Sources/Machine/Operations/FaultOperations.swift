// SPDX-License-Identifier: GPL-2.0-or-later

import Block

/// Breakpoints in a drive whose image is `blkdebug:…`. Called on the event loop with the machine's lock held.
extension Machine {
  /// Does a command of qemu-io(1) for breakpoints: `break EVENT TAG`, `resume TAG`, `remove_break TAG`, `wait_break TAG`.
  public func controlFaults(ofDrive name: String, _ command: String) throws(MachineError) {
    guard let injector = try drive(named: name).medium as? FaultInjector else {
      throw MachineError("drive '\(name)' has no breakpoints: its image is not file=blkdebug:…")
    }
    let words = command.split(separator: " ").map(String.init)
    switch (words.first, words.count) {
    case ("break", 3):
      guard let event = FaultRules.Event(rawValue: words[1]) else {
        let known = FaultRules.Event.allCases.map(\.rawValue).joined(separator: ", ")
        throw MachineError("there is no event '\(words[1])'; there are: \(known)")
      }
      injector.addBreakpoint(event, tag: words[2])
    case ("resume", 2):
      guard injector.resume(tag: words[1]) else { throw MachineError("no request waits at '\(words[1])'") }
    case ("remove_break", 2):
      guard injector.removeBreakpoints(tag: words[1]) else {
        throw MachineError("there is no breakpoint '\(words[1])'")
      }
    case ("wait_break", 2):
      // Requests come only while the machine runs, which it does not while it waits here.
      guard injector.isHeld(tag: words[1]) else { throw MachineError("no request waits at '\(words[1])'") }
    default:
      throw MachineError(
        "'\(command)' is none of: break EVENT TAG, resume TAG, remove_break TAG, wait_break TAG")
    }
  }
}
