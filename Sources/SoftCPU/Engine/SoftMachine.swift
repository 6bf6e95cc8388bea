// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory
import Synchronization

/// What the processors of a machine share: physical memory, the code decoded from it, and the bus.
///
/// The processors take turns on one host thread (see ``SoftScheduler``), so nothing here is locked, but for
/// what other threads leave in ``changes``.
final class SoftMachine {
  let bus: SystemBus
  /// `-trace int`.
  let interruptTrace = TraceCategory("int")
  var physical = PhysicalMemory()
  var arena = BlockArena(byteCount: 64 << 20)
  /// Code pages in use, to be taken back when everything is forgotten.
  var codePages: [UnsafeMutablePointer<CodePage>] = []
  /// The last ``Processor/mapGeneration`` given to a processor: each is used once, so that links made by one
  /// processor under its page tables are not good for another.
  private var lastGeneration: UInt32 = 0
  var processors: [CPU] = []
  var translations: [TLBSet] = []
  /// The virtual CPUs, to be told of changes.
  var owners: [SoftVirtualCPU] = []
  /// Waits for what devices have begun on the host, in a run that can be repeated. With the bus's lock held.
  var settle: (() -> Void)?
  /// The thread that executes guests is in an access to a device, and so between two instructions as far as
  /// memory goes. Guarded by the bus's lock.
  var isInDeviceAccess = false
  /// What other threads changed in memory and the executing thread is to take over. Guarded by the bus's
  /// lock.
  var changes = MemoryChanges()
  /// The decoder's buffer.
  let decoded = UnsafeMutablePointer<Operation>.allocate(capacity: Decoder.maximumCount + 1)
  let codeBytes = UnsafeMutableRawPointer.allocate(byteCount: 32, alignment: 16)

  init(bus: SystemBus) { self.bus = bus }

  deinit {
    for page in codePages { page.deallocate() }
    arena.deallocate()
    physical.deallocate()
    decoded.deallocate()
    codeBytes.deallocate()
  }

  func nextGeneration() -> UInt32 {
    lastGeneration &+= 1
    return lastGeneration
  }

  // MARK: Code

  /// The code page of a slot, made if there is none: stores to the page are watched from now on.
  func codePage(_ slot: CodePageSlot, host: UnsafeMutableRawPointer) -> UnsafeMutablePointer<CodePage> {
    if let page = slot.pointee { return page }
    let page = UnsafeMutablePointer<CodePage>.allocate(capacity: 1)
    page.initialize(to: CodePage(host: host, slot: slot, index: codePages.count))
    codePages.append(page)
    slot.pointee = page
    protect(hostPage: host)
    return page
  }

  /// Forgets the code decoded from `count` bytes at `offset` on a page, because they are about to change.
  /// - Returns: whether the page holds no code any more.
  @discardableResult
  func codeChanged(_ slot: CodePageSlot, offset: Int, count: Int) -> Bool {
    guard let page = slot.pointee else { return true }
    guard page.pointee.occupied & CodePage.mask(offset: offset, count: count) != 0 else { return false }
    for bucket in 0..<CodePage.bucketCount {
      var next = page.pointee.buckets[bucket]
      while let block = next {
        // The block may be the one being executed, and links may lead to it: what is left of it leads back to
        // the run loop.
        let operations = block.operations
        for index in 0...Int(block.pointee.count) { operations[index].handler = staleOperation }
        next = block.pointee.nextInPage
      }
    }
    let reachedFrom = page.pointee.reachedFrom
    slot.pointee = nil
    let index = page.pointee.index
    if let last = codePages.popLast(), last != page {
      codePages[index] = last
      last.pointee.index = index
    }
    page.deallocate()
    for cpu in processors { cpu.pointee.mapGeneration = nextGeneration() }
    if let reachedFrom { codeChanged(reachedFrom, offset: 0, count: 4096) }
    return true
  }

  /// Forgets all decoded code. Not while a block is being executed.
  func forgetAllCode() {
    for page in codePages {
      page.pointee.slot.pointee = nil
      page.deallocate()
    }
    codePages.removeAll()
    arena.reset()
    for cpu in processors { cpu.pointee.mapGeneration = nextGeneration() }
  }

  /// The processors' stores to a page of host memory take the slow path from now on.
  func protect(hostPage: UnsafeMutableRawPointer) {
    for set in translations { set.data.protect(hostPage: hostPage) }
  }
}

/// The translations of one processor.
final class TLBSet {
  var data = TLB()
  var code = CodeTLB()

  deinit {
    data.deallocate()
    code.deallocate()
  }
}

/// What is left of an operation whose bytes have changed: the run loop decodes them anew.
private let staleOperation: Handler = { $0.processor.faulted($1.operation) }
