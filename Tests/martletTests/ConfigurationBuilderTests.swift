// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import CPU
import CharacterDevice
import Firmware
import HostUSB
import Machine
import OptionSyntax
import Testing
import USB

@testable import martlet

private func configuration(_ arguments: String...) throws -> MachineConfiguration {
  var builder = ConfigurationBuilder(try Martlet.parse(arguments))
  return try builder.build()
}

@Suite struct ConfigurationBuilderTests {
  @Test func aBareImageIsTheFirstDisk() throws {
    let machine = try configuration("disk.img")
    #expect(machine.drives.map(\.file) == ["disk.img"])
    #expect(machine.drives[0].position == DriveConfiguration.Position(index: 0))
    #expect(machine.memoryByteCount == 256 << 20)
    #expect(machine.vnc == ":0,to=99")
    #expect(machine.serials == ["null"])
  }

  @Test func filesForTheFirmware() throws {
    let machine = try configuration(
      "-fw_cfg", "name=opt/a,file=x,,y", "-fw_cfg", "opt/b,string=text", "-nographic")
    #expect(
      machine.firmware.files == [
        FirmwareFileConfiguration(name: "opt/a", contents: .file("x,y")),
        FirmwareFileConfiguration(name: "opt/b", contents: .text("text")),
      ])
    for wrong in ["opt/a", "file=x", "opt/a,file=x,string=y"] {
      #expect(throws: OptionError.self) { try configuration("-fw_cfg", wrong) }
    }
    // The serial port with the escape that ends the machine.
    #expect(machine.serials == ["mon:stdio"])
  }

  @Test func drivesFindTheirPlaces() throws {
    let machine = try configuration(
      "-drive", "file=a,media=cdrom", "-drive", "file=b", "-hda", "c", "-drive", "file=d,index=3")
    let places = Dictionary(uniqueKeysWithValues: machine.drives.map { ($0.file ?? "", $0.position?.index) })
    #expect(places == ["c": 0, "b": 1, "a": 2, "d": 3])
    #expect(machine.drives.first { $0.file == "a" }?.image.isReadOnly == true)
    #expect(throws: OptionError.self) { try configuration("-cdrom", "x", "-hdc", "y") }
    #expect(throws: OptionError.self) {
      try configuration("-hda", "a", "-hdb", "b", "-hdc", "c", "-hdd", "d", "-drive", "file=e")
    }
  }

  @Test func driveProperties() throws {
    let drive = try configuration(
      "-drive",
      "file=a,,b,if=ide,cache=none,readonly=on,werror=stop,rerror=ignore,serial=X1,discard=unmap,format=raw"
    ).drives[0]
    #expect(drive.file == "a,b")
    #expect(drive.image.cache == .none)
    #expect(drive.image.isReadOnly)
    #expect(drive.image.discard == .unmap)
    #expect(drive.image.isFormatGiven)
    #expect(drive.writeErrorPolicy == .stop)
    #expect(drive.readErrorPolicy == .ignore)
    #expect(drive.serial == "X1")
  }

  @Test(arguments: [
    ("4", CPUTopology(sockets: 4)), ("4,cores=2", CPUTopology(sockets: 2, cores: 2)),
    ("cpus=8,sockets=2,threads=2", CPUTopology(sockets: 2, cores: 2, threads: 2)),
    ("sockets=1,cores=3", CPUTopology(cores: 3)),
  ])
  func topologies(_ text: String, _ expected: CPUTopology) throws {
    #expect(try configuration("-smp", text).topology == expected)
  }

  @Test(arguments: ["0", "256", "4,cores=3", "4,sockets=2,cores=1,threads=1", "x", "2,corse=1"])
  func badTopologies(_ text: String) {
    #expect(throws: OptionError.self) { try configuration("-smp", text) }
  }

  @Test func memorySizes() throws {
    #expect(try configuration("-m", "1").memoryByteCount == 1 << 20)
    #expect(try configuration("-m", "size=2G").memoryByteCount == 2 << 30)
    #expect(try configuration("-m", "1500k").memoryByteCount == 2 << 20)
    for bad in ["0", "", "1T,slots=2", "99999999999999999999"] {
      #expect(throws: OptionError.self) { try configuration("-m", bad) }
    }
  }

  @Test func globalsReachDevices() throws {
    let machine = try configuration(
      "-debugcon", "stdio", "-global", "isa-debugcon.iobase=0x402", "-device", "isa-debug-exit,iosize=4",
      "-global",
      "VGA.vgamem_mb=32")
    #expect(machine.debugConsoles.map(\.ioBase) == [0x402])
    #expect(machine.debugExits.map(\.ioSize) == [4])
    #expect(machine.vga?.memoryMegabytes == 32)
  }

  @Test func namedCharacterPorts() throws {
    let machine = try configuration(
      "-chardev", "file,id=log,path=/tmp/x", "-device", "isa-debugcon,iobase=0x402,chardev=log", "-serial",
      "chardev:log",
      "-serial", "none", "-parallel", "none")
    #expect(machine.debugConsoles.map(\.port) == ["chardev:log"])
    #expect(machine.characterDevices.map(\.specification) == [.file(path: "/tmp/x")])
    #expect(machine.serials == ["chardev:log", nil])
    #expect(machine.parallel == nil)
    #expect(throws: OptionError.self) { try configuration("-serial", "chardev:nobody") }
  }

  @Test func bootOptions() throws {
    let boot = try configuration("-boot", "order=dc,once=n,menu=on,splash-time=500,strict=on").boot
    #expect(boot.order == "dc")
    #expect(boot.once == "n")
    #expect(boot.showsMenu)
    #expect(boot.menuWaitMilliseconds == 500)
    #expect(boot.isStrict)
    #expect(throws: OptionError.self) { try configuration("-boot", "cc") }
  }

  @Test func clocks() throws {
    #expect(try configuration("-rtc", "base=2000-03-01T00:00:01").rtc.base == .date(951_868_801))
    #expect(try configuration("-rtc", "base=localtime,clock=vm").rtc.followsGuestTime)
    #expect(throws: OptionError.self) { try configuration("-rtc", "base=yesterday") }
  }

  @Test func noScreen() throws {
    let machine = try configuration("-nographic")
    #expect(machine.vnc == nil)
    #expect(machine.serials == ["mon:stdio"])
    #expect(try configuration("-display", "vnc=:3").vnc == ":3")
    #expect(try configuration("-vga", "none").vga == nil)
  }

  @Test func processorModels() throws {
    let cpu = try configuration("-cpu", "qemu64,+ssse3,-nx,avx=off,aes=on").cpu
    #expect(cpu == CPUModelRequest(model: "qemu64", added: ["ssse3", "aes"], removed: ["nx", "avx"]))
    #expect(throws: OptionError.self) { try configuration("-cpu", "max,wat") }
  }
}

@Suite struct DeviceOptionTests {
  @Test func aDiskInThreeSpellings() throws {
    let json =
      #"{"driver":"raw","node-name":"n","read-only":true,"cache":{"direct":true},"file":{"driver":"file","filename":"/a,b"}}"#
    let device = #"{"driver":"ide-hd","drive":"n","id":"d0","bus":"ide.1","unit":1,"bootindex":3}"#
    let first = try configuration("-blockdev", json, "-device", device).drives
    let second = try configuration(
      "-blockdev",
      "driver=raw,node-name=n,read-only=on,cache.direct=on,file.driver=file,file.filename=/a,,b",
      "-device", "ide-hd,drive=n,id=d0,bus=ide.1,unit=1,bootindex=3"
    ).drives
    let third = try configuration(
      "-blockdev", "file,node-name=f,filename=/a,,b", "-blockdev",
      "raw,file=f,node-name=n,read-only=on,cache.direct=on", "-device",
      "ide-hd,id=d0,bus=ide.1,unit=1,bootindex=3,drive=n"
    ).drives
    #expect(first == second && second == third)
    #expect(first.count == 1)
    #expect(first.first?.file == "/a,b")
    #expect(first.first?.position == .init(channel: 1, unit: 1))
    #expect(first.first?.image.isReadOnly == true && first.first?.image.cache == CacheMode.none)
    #expect(first.first?.nodeName == "n" && first.first?.deviceID == "d0" && first.first?.bootIndex == 3)
  }

  @Test func drivesForDevices() throws {
    let machine = try configuration(
      "-drive", "file=/x,if=none,id=a", "-drive", "if=none,id=b,media=cdrom", "-device",
      "ide-cd,drive=b", "-device", "ide-hd,drive=a,serial=S1")
    #expect(machine.drives.map(\.media) == [.cdrom, .disk])
    #expect(machine.drives.map(\.position?.index) == [0, 1])
    #expect(machine.drives.last?.serial == "S1" && machine.drives.last?.id == "a")
  }

  @Test func serialPortsByDevice() throws {
    let machine = try configuration(
      "-nodefaults", "-chardev", "null,id=c", "-device", "isa-serial,chardev=c,index=2")
    #expect(machine.serials == [nil, nil, "chardev:c"])
    #expect(machine.vga == nil)
    #expect(try configuration("-nodefaults", "-device", "VGA,vgamem_mb=32").vga?.memoryMegabytes == 32)
  }

  @Test func mistakes() {
    for arguments in [
      ["-device", "ide-hd"], ["-device", "ide-hd,drive=x"], ["-device", "nothing"], ["-device", "{"],
      ["-drive", "file=/x,if=none,id=a"], ["-drive", "file=/x,if=none"],
      ["-drive", "file=/x,if=none,id=a", "-device", "ide-hd,drive=a,bus=scsi.0"],
      ["-drive", "file=/x,if=none,id=a", "-device", "ide-hd,drive=a,unit=2"],
      ["-hda", "/y", "-drive", "file=/x,if=none,id=a", "-device", "ide-hd,drive=a,bus=ide.0,unit=0"],
      ["-device", "ide-cd,id=a", "-device", "ide-cd,id=a"], ["-device", "VGA"],
      ["-device", "ide-cd,serial=ä"],
      ["-blockdev", "driver=qcow2,node-name=a"], ["-blockdev", "driver=raw,node-name=a,file=b"],
      ["-blockdev", "driver=file,filename=/x"], ["-global", "VGA.no=1"], ["-device", #"{"driver":null}"#],
    ] {
      #expect(throws: OptionError.self, "\(arguments)") {
        var builder = ConfigurationBuilder(try Martlet.parse(arguments))
        _ = try builder.build()
      }
    }
  }
}

@Suite struct ToolstackOptionTests {
  /// As libvirt 9 starts a guest with IDE disks and VNC, without what other tests have.
  @Test func aLibvirtGuest() throws {
    let machine = try configuration(
      "-name", "guest=vm1,debug-threads=on", "-S", "-machine",
      "pc-i440fx-7.2,usb=off,vmport=off,dump-guest-core=off", "-accel", "kvm", "-cpu",
      "host,migratable=on", "-m", "size=1048576k", "-overcommit", "mem-lock=off", "-smp",
      "2,sockets=2,cores=1,threads=1", "-uuid", "c7a5fdbd-edaf-9455-926a-d65c16db1809", "-no-user-config",
      "-nodefaults", "-chardev", "socket,id=charmonitor,fd=22,server=on,wait=off", "-mon",
      "chardev=charmonitor,id=monitor,mode=control", "-rtc", "base=utc,driftfix=slew", "-global",
      "kvm-pit.lost_tick_policy=delay", "-no-hpet", "-no-shutdown", "-global", "PIIX4_PM.disable_s3=1",
      "-global", "PIIX4_PM.disable_s4=1", "-boot", "menu=off,strict=on", "-blockdev",
      #"{"driver":"file","filename":"/x.img","node-name":"libvirt-1-storage","auto-read-only":true,"discard":"unmap"}"#,
      "-blockdev",
      #"{"node-name":"libvirt-1-format","read-only":false,"driver":"raw","file":"libvirt-1-storage"}"#,
      "-device",
      #"{"driver":"ide-hd","bus":"ide.0","unit":0,"drive":"libvirt-1-format","id":"ide0-0-0","bootindex":1}"#,
      "-device", #"{"driver":"ide-cd","bus":"ide.0","unit":1,"id":"ide0-0-1"}"#, "-chardev",
      "pty,id=charserial0", "-device",
      #"{"driver":"isa-serial","chardev":"charserial0","id":"serial0","index":0}"#,
      "-audiodev", #"{"id":"audio1","driver":"none"}"#, "-vnc", "127.0.0.1:0,audiodev=audio1", "-device",
      #"{"driver":"VGA","id":"video0","vgamem_mb":16,"bus":"pci.0","addr":"0x2"}"#, "-sandbox", "off",
      "-msg", "timestamp=on")
    #expect(machine.name == "vm1" && machine.memoryByteCount == 1 << 30 && machine.topology.sockets == 2)
    #expect(machine.drives.map(\.deviceID) == ["ide0-0-0", "ide0-0-1"])
    #expect(machine.drives[0].file == "/x.img" && machine.drives[0].image.discard == .unmap)
    #expect(machine.monitors.map(\.mode) == [.control] && machine.serials == ["chardev:charserial0"])
    #expect(machine.startsPaused && machine.pausesOnPowerOff && machine.boot.isStrict)
    #expect(machine.parallel == nil && machine.vga != nil && machine.accelerators == [.kvm])
  }

  @Test func machineProperties() throws {
    let machine = try configuration(
      "-machine", "pc,acpi=off,fd-bootchk=off,mem-merge=on,kernel=/k", "-machine", "append=a,,b", "-M",
      "accel=kvm:tcg")
    #expect(!machine.hasACPI && !machine.boot.checksFloppySignature && machine.memoryBacking.isMergeable)
    #expect(machine.firmware.kernel == "/k" && machine.firmware.commandLine == "a,b")
    #expect(machine.accelerators == [.kvm, .soft])
    #expect(try !configuration("-no-acpi").hasACPI)
    #expect(try !configuration("-no-fd-bootchk", "-boot", "c").boot.checksFloppySignature)
    #expect(try configuration("-machine", "graphics=off").vnc == nil)
    #expect(try configuration("-overcommit", "mem-lock=on").isMemoryLocked)
    #expect(try configuration("-name", "a,process=b").processName == "b")
    let actions = try configuration("-action", "reboot=shutdown,shutdown=pause", "-action", "reboot=reset")
    #expect(!actions.endsOnReset && actions.pausesOnPowerOff)
  }

  @Test func snapshotIsForAllDisksOfOptions() throws {
    let made = try configuration(
      "/a", "-snapshot", "-drive", "if=none,id=b,file=/b", "-device", "ide-hd,drive=b,bus=ide.1", "-cdrom",
      "/c",
      "-blockdev", "driver=raw,node-name=d,file.driver=file,file.filename=/d", "-device",
      "ide-hd,drive=d,bus=ide.0,unit=1")
    #expect(
      made.drives.sorted { $0.file ?? "" < $1.file ?? "" }.map(\.isSnapshot) == [true, true, false, false])
  }

  @Test func usbControllers() throws {
    let machine = try configuration(
      "-machine", "usb=on", "-device", "ich9-usb-ehci1,id=e,addr=0x5.0x7", "-device",
      "ich9-usb-uhci1,masterbus=e.0,firstport=0,addr=5", "-usbdevice", "keyboard")
    let usb = machine.usb
    #expect(usb.controllers.map(\.model) == [.piix3UHCI, .ehci(.ich9First), .uhci(.ich9First)])
    #expect(usb.controllers.map { "\($0.address as Any)" }.joined().contains("00:05.7"))
    #expect(usb.controllers[2].masterBus == "e.0" && usb.controllers[2].isMultifunction)
    #expect(usb.devices.map(\.kind) == [.keyboard, .tablet])
    #expect(try configuration("-usb", "-nodefaults").usb.devices.isEmpty)
    #expect(try configuration("-usb", "-usbdevice", "mouse").usb.devices.map(\.kind) == [.mouse])
    #expect(try configuration().usb.controllers.isEmpty)
  }

  @Test func devicesOfTheHost() throws {
    func host(_ text: String) throws -> USBHostConfiguration? {
      let machine = try configuration("-device", "qemu-xhci", "-device", "usb-host,\(text)")
      guard case .host(let host) = machine.usb.devices[0].kind else { return nil }
      return host
    }
    let stick = try #require(try host("vendorid=0x0951,productid=5734,pipeline=off"))
    #expect(stick.filter == HostUSBFilter(vendor: 0x0951, product: 0x1666) && stick.resets == .used)
    #expect(
      try host("hostbus=1,hostport=1.3,guest-reset=off")?.filter == HostUSBFilter(bus: 1, port: "1.3"))
    #expect(try host("hostbus=1,guest-reset=off")?.resets == USBHostDevice.Resets.none)
    #expect(try host("hostbus=1,guest-resets-all=on")?.resets == .all)
    #expect(try host("hostdevice=/dev/bus/usb/001/004")?.filter == HostUSBFilter(bus: 1, address: 4))
    for (text, words) in [
      ("guest-reset=on", "lsusb"), ("vendorid=0x10000", "vendorid"), ("hostdevice=/dev/sda", "/dev/bus/usb"),
      ("hostdevice=/dev/bus/usb/001/004,hostbus=1", "beside"), ("hostbus=1,isobufs=3", "isobufs"),
      ("hostbus=1,serial=3", "serial"),
    ] {
      let error = #expect(throws: OptionError.self) { _ = try host(text) }
      #expect(error?.description.contains(words) == true, "\(error as Any)")
    }
  }

  @Test func whatIsNotThereIsRefusedByName() {
    for (arguments, words) in [
      (["-machine", "q35"], ["Q35", "'pc'"]), (["-usbdevice", "mouze"], ["did you mean 'mouse'"]),
      (["-device", "usb-ehci,addr=20"], ["addr=20"]), (["-device", "usb-ehci,addr=1.3"], ["00:01.3"]),
      (["-machine", "pc,hpet=on"], ["HPET"]), (["-machine", "pc,dump-guest-core=on"], ["dump-guest-memory"]),
      (["-global", "PIIX4_PM.disable_s3=0"], ["disable_s3=1 is"]),
      (["-global", "PIIX4_PM.disable_s5=0"], ["did you mean 'disable_s"]),
      (["-sandbox", "on,spawn=deny"], ["-runas"]), (["-audiodev", "alsa,id=a"], ["driver=none is"]),
      (["-overcommit", "cpu-pm=on"], ["cpu-pm=off is"]), (["-action", "reboot=pause"], ["reset, shutdown"]),
      (["-smbios", "type=9,x=y"], ["type=9", "file="]), (["-smbios", "x=y"], ["type= or file="]),
      (["-smbios", "type=0,release=1"], ["release=1", "dot"]),
      (["-smbios", "type=1,seral=1"], ["did you mean 'serial'"]),
      (["-smbios", "type=11,path=/nonexistent"], ["/nonexistent"]),
      (["-nodefaults", "-chardev", "null,id=c", "-device", "isa-serial,chardev=c,iobase=0x2f8"], ["0x3f8"]),
    ] {
      let error = #expect(throws: OptionError.self, "\(arguments)") {
        var builder = ConfigurationBuilder(try Martlet.parse(arguments))
        _ = try builder.build()
      }
      for word in words { #expect(error?.description.contains(word) == true, "\(word) in \(error as Any)") }
    }
  }

  @Test func smbiosFields() throws {
    let machine = try configuration(
      "-smbios", "type=1,manufacturer=A,,B,uuid=00112233-4455-6677-8899-aabbccddeeff", "-smbios",
      "type=1,serial=S", "-smbios", "type=0,uefi=yes,release=1.2", "-smbios", "type=11,value=x,value=y",
      "-smbios", "file=/f", "-smbios", "type=2")
    let settings = machine.smbios.settings
    #expect(settings[1, .manufacturer] == "A,B" && settings[1, .serial] == "S" && settings[0, .uefi] == "on")
    #expect(settings.oemStrings == ["x", "y"] && settings.has(type: 2) && !settings.has(type: 3))
    #expect(machine.smbios.files == ["/f"] && machine.uuid == "00112233-4455-6677-8899-aabbccddeeff")
  }
}

@Suite struct HelpTests {
  @Test func everyOptionIsInATopic() throws {
    let texts = try Help.topicNames.map { try Help.message(topic: $0) }.joined()
    for name in Help.optionNames where !name.hasPrefix("--") && name != "-h" {
      #expect(texts.contains("\(name)"), "\(name) is in no topic")
    }
  }
}
