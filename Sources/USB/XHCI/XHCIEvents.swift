// SPDX-License-Identifier: GPL-2.0-or-later

/// Events and interrupts (xHCI 1.2, sections 4.9.4 and 4.17).
extension XHCI {
  /// An event that waits for room in its ring.
  struct WaitingEvent: Codable, Equatable {
    var interrupter: Int
    var block: XHCIBlock
  }

  /// Whether work may begin that leads to so many events. If not, it begins when the driver has made room.
  func canPost(_ count: Int) -> Bool {
    if waitingEvents.isEmpty && interrupters.allSatisfy({ !$0.hasRing || $0.hasRoom(for: count) }) {
      return true
    }
    isHeldBack = true
    return false
  }

  /// Tells the driver something. Where its ring is full, it waits: new work does not begin meanwhile.
  func post(_ event: XHCIBlock, to interrupter: Int, isQuiet: Bool = false) {
    let target = interrupters.indices.contains(interrupter) ? interrupter : 0
    guard waitingEvents.isEmpty, interrupters[target].hasRoom(for: 1) else {
      // Without a ring nobody will ever hear.
      guard interrupters[target].hasRing else { return }
      isHeldBack = true
      return waitingEvents.append(WaitingEvent(interrupter: target, block: event))
    }
    put(event, to: target, isQuiet: isQuiet)
  }

  private func put(_ event: XHCIBlock, to target: Int, isQuiet: Bool) {
    guard interrupters[target].put(event, memory) else { return haltForSystemError() }
    guard !isQuiet, interrupters[target].raise() else { return }
    report(.eventInterrupt)
  }

  /// There may be room again.
  private func goOn() {
    guard isHeldBack else { return }
    isHeldBack = false
    var count = 0
    for event in waitingEvents {
      guard interrupters[event.interrupter].hasRoom(for: 1) else { break }
      count += 1
      put(event.block, to: event.interrupter, isQuiet: false)
    }
    waitingEvents.removeFirst(min(count, waitingEvents.count))
    if !waitingEvents.isEmpty { isHeldBack = true }
    postPortChanges()
    wake()
  }

  // MARK: An interrupter's registers

  func readInterrupter(_ index: Int, _ register: Int) -> UInt32 {
    let interrupter = interrupters[index]
    return switch register {
    case XHCIInterrupterRegister.management: interrupter.management.rawValue
    case XHCIInterrupterRegister.moderation: interrupter.moderation
    case XHCIInterrupterRegister.segmentTableSize: interrupter.segmentTableSize
    case XHCIInterrupterRegister.segmentTable: interrupter.segmentTable.lowWord
    case XHCIInterrupterRegister.segmentTable + 4: interrupter.segmentTable.highWord
    case XHCIInterrupterRegister.dequeue: interrupter.dequeue.lowWord
    case XHCIInterrupterRegister.dequeue + 4: interrupter.dequeue.highWord
    default: 0
    }
  }

  func writeInterrupter(_ index: Int, _ register: Int, _ value: UInt32) {
    switch register {
    case XHCIInterrupterRegister.management:
      let new = XHCIInterrupterManagement(rawValue: value)
      var management = interrupters[index].management.subtracting(.enabled)
      if new.contains(.pending) { management.remove(.pending) }
      interrupters[index].management = management.union(new.intersection(.enabled))
    case XHCIInterrupterRegister.moderation: interrupters[index].moderation = value
    case XHCIInterrupterRegister.segmentTableSize: interrupters[index].write(segmentTableSize: value)
    case XHCIInterrupterRegister.segmentTable:
      interrupters[index].write(
        segmentTable: interrupters[index].segmentTable.replacingLowWord(value), memory)
    case XHCIInterrupterRegister.segmentTable + 4:
      interrupters[index].write(
        segmentTable: interrupters[index].segmentTable.replacingHighWord(value), memory)
    case XHCIInterrupterRegister.dequeue:
      let isMore = interrupters[index].write(
        dequeue: interrupters[index].dequeue.replacingLowWord(value), isLow: true)
      if isMore && interrupters[index].raise() { report(.eventInterrupt) }
      goOn()
    case XHCIInterrupterRegister.dequeue + 4:
      _ = interrupters[index].write(
        dequeue: interrupters[index].dequeue.replacingHighWord(value), isLow: false)
      goOn()
    default: break
    }
    updateInterrupt()
  }
}
