// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import GuestMemory

/// Changes of memory that wait for the executing thread.
struct MemoryChanges {
  var isMapNew = false
  /// Translations that let stores through must be given up in these blocks: their written pages were
  /// collected.
  var collected: [BlockPages] = []
  /// Pages with code that devices wrote.
  var codeWrites: [(pages: BlockPages, page: Int)] = []
}

extension SoftMachine: MemoryMapListener {
  func memoryMapChanged(removed: [FlatRange], added: [FlatRange]) {
    changes.isMapNew = true
    announceChanges()
  }

  func dirtyTrackingChanged(of block: RAMBlock) {
    guard block.dirty.isTracking else { return }
    changes.collected.append(physical.pages(of: block))
    announceChanges()
  }

  func collectDirtyPages(of block: RAMBlock) {
    let pages = physical.pages(of: block)
    var found = false
    for page in 0..<pages.pageCount where pages.written[page] != 0 {
      pages.written[page] = 0
      block.dirty.mark(byteOffset: page * RAMBlock.pageSize, count: RAMBlock.pageSize)
      found = true
    }
    guard found, !changes.collected.contains(where: { $0 === pages }) else { return }
    changes.collected.append(pages)
    announceChanges()
  }

  /// A device wrote to a block: if the pages hold decoded code, it is to be forgotten.
  func deviceWrote(_ pages: BlockPages, offset: Int, count: Int) {
    guard count > 0 else { return }
    var found = false
    for page in offset >> 12...(offset + count - 1) >> 12
    where page < pages.pageCount && pages.code[page] != nil {
      changes.codeWrites.append((pages, page))
      found = true
    }
    if found { announceChanges() }
  }

  /// The executing thread sees to the changes at once if it is the one that made them by an access to a
  /// device, and before the next block otherwise.
  private func announceChanges() {
    if isInDeviceAccess { return takeOverChanges() }
    for owner in owners { owner.raise(Attention.memory) }
  }

  /// Takes over what has changed; on the executing thread.
  func takeOverMemoryChanges() { bus.lock.withLock { takeOverChanges() } }

  private func takeOverChanges() {
    if changes.isMapNew {
      changes.isMapNew = false
      physical.replace(with: bus.memory.flatRanges)
      watchDeviceWrites()
      for cpu in processors { cpu.flushTranslations() }
    }
    for pages in changes.collected { giveUpStores(to: pages) }
    for (pages, page) in changes.codeWrites { codeChanged(pages.code + page, offset: 0, count: 4096) }
    changes.collected.removeAll(keepingCapacity: true)
    changes.codeWrites.removeAll(keepingCapacity: true)
  }

  /// The next store to each page of a block is noted again. Stores between the collection and now are
  /// reported by the next one.
  private func giveUpStores(to pages: BlockPages) {
    let base = UInt(bitPattern: pages.block.hostAddress)
    for set in translations {
      set.data.forEachWritable { entry in
        let host = UInt(bitPattern: entry.pointee.addend) &+ UInt(entry.pointee.writeTag)
        guard host &- base < UInt(pages.block.byteCount) else { return }
        pages.written[Int(host &- base) >> 12] = 1
        entry.pointee.writeTag = TLBEntry.invalidTag
      }
    }
  }

  /// Has the blocks of the map tell of writes by devices.
  private func watchDeviceWrites() {
    for range in bus.memory.flatRanges {
      guard let block = range.block, block.onDeviceWrite == nil else { continue }
      let pages = physical.pages(of: block)
      block.onDeviceWrite = { [unowned self, unowned pages] offset, count in
        deviceWrote(pages, offset: offset, count: count)
      }
    }
  }
}
