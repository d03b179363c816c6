#!/bin/busybox sh
# The first and only program of the Linux guest. It writes on the console, which is the first serial port:
#
#   hvsdk linux up <label>      it has booted
#   <label> tick N              every second
#   <label> sees vdb            a disk or network card has come (or was there), "<label> misses vdb" it has gone
#   <label> off                 the power button was pressed
#
# Words of the kernel's command line: hvsdk.label=NAME, hvsdk.power=ignore, hvsdk.address=192.0.2.5/24.

/bin/busybox --install -s /bin
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs none /run
exec < /dev/console > /dev/console 2>&1

label=linux power=answer address=
for word in $(cat /proc/cmdline); do
    case $word in
        hvsdk.label=*) label=${word#*=} ;;
        hvsdk.power=*) power=${word#*=} ;;
        hvsdk.address=*) address=${word#*=} ;;
    esac
done
hostname "$label"

for module in $(cat /modules/order); do
    insmod "/modules/$module.ko"
done

# The power button: an event device of that name has something to read when it was pressed.
if [ "$power" = answer ]; then
    for event in /sys/class/input/event*; do
        if [ "$(cat "$event/device/name")" = "Power Button" ]; then
            # What is still on its way to the serial port is lost with the power: stty waits for what the driver knows of it.
            (head -c 24 "/dev/input/${event##*/}" > /run/button && echo "$label off" &&
                { stty -echo < /dev/console; sleep 1; poweroff -f; }) &
        fi
    done
fi

# The agent, on its port if the guest was given one.
for port in /sys/class/virtio-ports/*; do
    if [ "$(cat "$port/name" 2> /dev/null)" = org.qemu.guest_agent.0 ]; then
        qemu-ga --method=virtio-serial --path="/dev/${port##*/}" --statedir=/run --logfile=/run/agent.log &
    fi
done

ip link set lo up
echo "hvsdk linux up $label"

came() {
    echo "$label sees $1"
    case $1 in
        eth*)
            ip link set "$1" up
            if [ -n "$address" ]; then
                ip address add "$address" dev "$1"
            else
                udhcpc -i "$1" -s /etc/udhcpc.sh -t 10 -T 1 -b > /run/udhcpc.log 2>&1 &
            fi
            ;;
    esac
}

count=0 known=" "
while :; do
    present=" "
    for path in /sys/block/*d[a-z] /sys/class/net/eth*; do
        [ -e "$path" ] || continue
        name=${path##*/}
        present="$present$name "
        case $known in *" $name "*) ;; *) came "$name" ;; esac
    done
    for name in $known; do
        case $present in *" $name "*) ;; *) echo "$label misses $name" ;; esac
    done
    known=$present
    sleep 1
    count=$((count + 1))
    echo "$label tick $count"
done
