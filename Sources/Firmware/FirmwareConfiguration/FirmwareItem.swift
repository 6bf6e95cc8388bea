// SPDX-License-Identifier: GPL-2.0-or-later

/// One thing that firmware can read.
final class FirmwareItem {
  /// The file's name; nil for items known by selector alone.
  let name: String?
  /// The contents now.
  private(set) var blob: FirmwareBlob
  /// The computation the contents come from; nil if they are fixed.
  let computation: FirmwareComputation?

  init(name: String?, blob: FirmwareBlob, computation: FirmwareComputation? = nil) {
    self.name = name
    self.blob = blob
    self.computation = computation
  }

  func replace(_ blob: FirmwareBlob) { self.blob = blob }
}

/// Files computed together when one of them is first selected after a reset, so that they can tell what the
/// firmware itself has programmed by then: where it put the power management registers, for one.
final class FirmwareComputation {
  private let compute: () -> [[UInt8]]
  private(set) var items: [FirmwareItem] = []
  /// Whether the contents are those of this boot.
  var isCurrent = false

  /// `names` are the files, in the order in which `compute` returns their contents. It runs once now, to
  /// learn the sizes that the directory lists; the sizes must not change from run to run.
  init(names: [String], compute: @escaping () -> [[UInt8]]) {
    self.compute = compute
    let contents = compute()
    for (name, bytes) in zip(names, contents) {
      items.append(FirmwareItem(name: name, blob: FirmwareBlob(bytes), computation: self))
    }
  }

  func bringUpToDate() {
    guard !isCurrent else { return }
    isCurrent = true
    for (item, bytes) in zip(items, compute()) {
      // Firmware allocates what the directory said: contents of another size would be cut off or read as
      // garbage there, so they are made to fit.
      let count = item.blob.count
      item.replace(
        FirmwareBlob(Array(bytes.prefix(count)) + [UInt8](repeating: 0, count: max(0, count - bytes.count))))
    }
  }
}
