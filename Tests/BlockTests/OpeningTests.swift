// SPDX-License-Identifier: GPL-2.0-or-later

import CHost
import Glibc
import Testing

@testable import Block

@Suite struct OpeningTests {
  private func message(_ harness: BlockHarness, _ path: String, _ options: BlockOptions = BlockOptions())
    throws
    -> String
  {
    let error = #expect(throws: BlockError.self) { try harness.open(path, options) }
    return try #require(error).description
  }

  @Test func saysWhatIsWrong() throws {
    let harness = try BlockHarness()
    let missing = harness.directory.path + "/none"
    #expect(try message(harness, missing).contains("'\(missing)' does not exist; an empty disk"))
    #expect(try message(harness, missing, BlockOptions(isReadOnly: true)) == "'\(missing)' does not exist")
    #expect(try message(harness, harness.directory.path).contains("is a directory"))
    #expect(try message(harness, "/dev/null").contains("is a character device"))
    #expect(try message(harness, harness.directory.file("empty", [])).contains("is empty"))
    let fifo = harness.directory.path("fifo")
    mkfifo(fifo, 0o600)
    #expect(try message(harness, fifo).contains("is a pipe"))
    var options = BlockOptions()
    options.aio = .native
    let disk = try harness.directory.file("disk", pattern(512))
    #expect(try message(harness, disk, options).contains("aio=native needs cache=none"))
  }

  @Test func suggestsReadOnlyForWhatMayNotBeWritten() throws {
    let harness = try BlockHarness()
    let path = try harness.directory.file("disk", pattern(512))
    let hint = ImageFile.openError(path, EACCES, isReadOnly: false)
    #expect(hint == .notWritable(path: path, code: EACCES))
    #expect(hint.description.contains("readonly=on"))
    #expect(ImageFile.openError(path, EACCES, isReadOnly: true) == .unreadable(path: path, code: EACCES))
    #expect(ImageFile.openError(path, EMFILE, isReadOnly: true).description.contains("Too many open files"))
  }

  @Test(arguments: [
    (ForeignFormat.qcow2, 0, [0x51, 0x46, 0x49, 0xFB] as [UInt8]), (.vmdk, 0, Array("KDMV".utf8)),
    (.vdi, 0x40, [0x7F, 0x10, 0xDA, 0xBE]), (.vhdx, 0, Array("vhdxfile".utf8)),
    (.xz, 0, [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]),
  ])
  func refusesOtherFormatsUnlessToldThatItIsRaw(format: ForeignFormat, offset: Int, signature: [UInt8]) throws
  {
    let harness = try BlockHarness()
    var bytes = [UInt8](repeating: 0, count: 4096)
    bytes.replaceSubrange(offset..<(offset + signature.count), with: signature)
    let path = try harness.directory.file("disk", bytes)
    let error = #expect(throws: BlockError.self) { try harness.open(path) }
    #expect(error == .foreignFormat(path: path, format: format))
    #expect(error?.description.contains(format.rawValue) == true)
    var options = BlockOptions()
    options.isFormatGiven = true
    let image = try harness.open(path, options)
    #expect(harness.read(image, at: 0, 4096) == (.success, bytes))
    harness.close(image)
  }

  @Test func aShortFileIsNotTakenForAnotherFormat() throws {
    let harness = try BlockHarness()
    let image = try harness.open(harness.directory.file("disk", [0x51]))
    #expect(image.byteCount == 512)
    harness.close(image)
  }

  // MARK: Locks

  @Test func writersExcludeOthersAndReadersShare() throws {
    let harness = try BlockHarness()
    let path = try harness.directory.file("disk", pattern(4096))
    let readOnly = BlockOptions(isReadOnly: true)
    let first = try harness.open(path, readOnly)
    let second = try harness.open(path, readOnly)
    let text = try message(harness, path)
    #expect(text.contains("'\(path)' is in use by"))
    #expect(text.contains("(process \(getpid()))"))
    harness.close(first)
    harness.close(second)
    let writer = try harness.open(path)
    #expect(try message(harness, path).contains("writing"))
    #expect(try message(harness, path, readOnly).contains("reading"))
    var unlocked = readOnly
    unlocked.isLocked = false
    harness.close(try harness.open(path, unlocked))
    harness.close(writer)
    // Sharing needs both sides to agree.
    var sharing = BlockOptions()
    sharing.sharesWrites = true
    let one = try harness.open(path, sharing)
    let other = try harness.open(path, sharing)
    #expect(try message(harness, path).contains("in use"))
    harness.close(one)
    harness.close(other)
    harness.close(try harness.open(path))
  }

  private static let hasQEMU = access("/usr/bin/qemu-io", X_OK) == 0

  /// Runs `qemu-io` on an image; returns its exit status and what it printed.
  private func qemuIO(_ arguments: [String]) -> (status: Int32, output: String) {
    let command = (["/usr/bin/qemu-io"] + arguments).map { "'\($0)'" }.joined(separator: " ") + " 2>&1"
    guard let pipe = popen(command, "r") else { return (-1, "") }
    var output: [UInt8] = []
    while case let byte = fgetc(pipe), byte != EOF { output.append(UInt8(truncatingIfNeeded: byte)) }
    let status = pclose(pipe)
    return (status >> 8 & 0xFF, String(decoding: output, as: UTF8.self))
  }

  @Test(.enabled(if: hasQEMU)) func refusesAndIsRefusedByQEMU() throws {
    let harness = try BlockHarness()
    let path = try harness.directory.file("disk", pattern(4096))
    let writer = try harness.open(path)
    let refused = qemuIO(["-f", "raw", "-c", "write 0 512", path])
    #expect(refused.status != 0)
    #expect(refused.output.contains("lock"), "\(refused.output)")
    harness.close(writer)
    #expect(qemuIO(["-f", "raw", "-c", "write 0 512", path]).status == 0)
    let reader = try harness.open(path, BlockOptions(isReadOnly: true))
    #expect(qemuIO(["-f", "raw", "-r", "-c", "read 0 512", path]).status == 0)
    #expect(qemuIO(["-f", "raw", "-c", "write 0 512", path]).status != 0)
    harness.close(reader)
  }

  @Test(.enabled(if: hasQEMU)) func namesTheProcessThatHoldsTheLock() throws {
    let harness = try BlockHarness()
    let path = try harness.directory.file("disk", pattern(4096))
    // Keeps the image open until its input ends.
    let pipe = try #require(popen("exec /usr/bin/qemu-io -f raw '\(path)' >/dev/null 2>&1", "w"))
    var refusal: BlockError?
    for _ in 0..<250 where refusal == nil {
      do throws(BlockError) {
        let image = try harness.lock.withLock { () throws(BlockError) in
          try RawImage.open(path: path, options: BlockOptions(isReadOnly: true), loop: harness.loop)
        }
        harness.close(image)
        usleep(20_000)
      } catch {
        refusal = error
      }
    }
    pclose(pipe)
    #expect(
      refusal?.description.contains("is in use by qemu-io (process ") == true,
      "\(String(describing: refusal))")
  }

  // MARK: Block devices

  /// With sectors of 4 KiB, so that the guest's sectors are parts of the host's. Skipped where no loop device
  /// can be made.
  @Test(arguments: [CacheMode.writeback, .none])
  func servesABlockDevice(cache: CacheMode) throws {
    let harness = try BlockHarness()
    var model = pattern(1 << 20)
    let path = try harness.directory.file("disk", model)
    guard let device = shell("losetup -f --show -b 4096 '\(path)'") else { return }
    defer { _ = shell("losetup -d '\(device)'") }
    var options = BlockOptions(cache: cache)
    options.discard = .unmap
    let image = try harness.open(device, options)
    #expect(image.byteCount == 1 << 20)
    if image.isDirect { #expect(image.engine == .native) }
    #expect(harness.read(image, at: 512, 8192) == (.success, Array(model[512..<8704])))
    for (offset, length) in [(512, 512), (4096, 4096), (6000, 9000), ((1 << 20) - 512, 512)] {
      let bytes = pattern(length, seed: UInt8(truncatingIfNeeded: offset / 3))
      #expect(harness.write(image, at: UInt64(offset), bytes) == .success)
      model.replaceSubrange(offset..<(offset + length), with: bytes)
    }
    for (offset, length) in [(8192, 8192), (30000, 512)] {
      let request = harness.request(.writeZeroes, offset: UInt64(offset), byteCount: UInt64(length))
      #expect(harness.perform(request, on: image) == .success)
      for index in offset..<(offset + length) { model[index] = 0 }
    }
    let discard = harness.request(.discard, offset: 65536, byteCount: 65536)
    #expect(harness.perform(discard, on: image) == .success)
    #expect(harness.flush(image) == .success)
    let (result, bytes) = harness.read(image, at: 0, 65536)
    #expect(result == .success && bytes == Array(model[..<65536]))
    #expect(harness.read(image, at: 131072, 65536).1 == Array(model[131072..<196608]))
    #expect(harness.read(image, at: (1 << 20) - 1024, 1024).1 == Array(model.suffix(1024)))
    harness.close(image)
  }
}
